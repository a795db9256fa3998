// Where the project stands, and how its TypeScript is run with tsx from any folder.

import { fileURLToPath } from "node:url";

export const projectFolder = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");
