// A file system of a few megabytes in memory, for what a full or read-only disk does. Linux, and only who may mount.

import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { sayMissing } from "../support/missing-tool.ts";
import { tempFolder } from "../support/temp-folder.ts";

export class SmallDisk {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Undefined, and said so, where mounting is not allowed. Unmounted when the test process ends. */
  static mount(mebibytes: number): SmallDisk | undefined {
    const folder = tempFolder("disk");
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder], {
        stdio: "ignore",
      });
    } catch {
      sayMissing("tmpfs");
      return undefined;
    }
    const disk = new SmallDisk(folder);
    // Before the folder's own removal, which would fail on a mounted one.
    process.prependListener("exit", () => disk.unmount());
    return disk;
  }

  /** Remounts with other options: `size=64m`, `ro`, `rw`. */
  change(options: string): void {
    execFileSync("mount", ["-o", `remount,${options}`, this.folder], { stdio: "ignore" });
  }

  /** Takes every byte that is left. */
  fill(): void {
    for (const size of [1 << 16, 1 << 12, 1]) {
      try {
        for (;;) appendFileSync(join(this.folder, "filler"), new Uint8Array(size));
      } catch {
        // No room for so many at once.
      }
    }
  }

  /** Gives back what `fill` took. */
  empty(): void {
    rmSync(join(this.folder, "filler"), { force: true });
  }

  unmount(): void {
    try {
      execFileSync("umount", ["-l", this.folder], { stdio: "ignore" });
    } catch {
      // It is gone already.
    }
  }
}
