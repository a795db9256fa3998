// Patterns of stream paths: `*` is one segment, `**` any number of them. Pure.

/** Never a regular expression: patterns come from anyone. */
export function matchesPath(pattern: string, path: string): boolean {
  return matches(pattern.split("/"), path.split("/"));
}

/** By dynamic programming: several `**` in a row cost no more than one. */
function matches(wanted: readonly string[], given: readonly string[]): boolean {
  let reach = new Set([0]);
  for (const segment of wanted) {
    const next = new Set<number>();
    for (const at of reach) {
      if (segment === "**") for (let to = at; to <= given.length; to++) next.add(to);
      else if (at < given.length && (segment === "*" || segment === given[at])) next.add(at + 1);
    }
    if (next.size === 0) return false;
    reach = next;
  }
  return reach.has(given.length);
}
