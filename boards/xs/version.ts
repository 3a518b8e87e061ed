/** The package's version; test/boards holds it to package.json. */
export const VERSION = '0.1.0';
