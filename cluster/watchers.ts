// Who wants to hear of changes, and the telling: each change of a commit once, in order.

import { type ClusterImage, describeChange, type ImageChange } from "./cluster-image.ts";
import type { ClusterChange } from "./control-plane.ts";

type Watcher = (change: ClusterChange) => void;

export class Watchers {
  readonly #watchers = new Set<Watcher>();

  /** Returns a function that ends it. */
  add(changed: Watcher): () => void {
    const watcher: Watcher = (change) => changed(change);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  tell(commit: {
    readonly changes: readonly ImageChange[];
    readonly before: ClusterImage;
    readonly after: ClusterImage;
  }): void {
    for (const change of commit.changes) {
      const described = describeChange(change, commit);
      if (described) for (const watcher of [...this.#watchers]) tell(watcher, described);
    }
  }

  clear(): void {
    this.#watchers.clear();
  }
}

/** A watcher that throws is a bug of its own: it neither stops the others nor the change, and is not hidden. */
function tell(watcher: Watcher, change: ClusterChange): void {
  try {
    watcher(change);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
