// The version of Timberline, as in package.json (a test compares them): readable where there are no files.

export const version = "0.1.0";
