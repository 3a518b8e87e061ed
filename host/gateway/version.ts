import { readFileSync } from 'node:fs';

/** The package's version. Both the sources and the bundled program know where their `package.json` is. */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === 'cloudbridge-gateway' && typeof version === 'string') return version;
    } catch {
      // the other one
    }
  }
  return 'unknown';
}
