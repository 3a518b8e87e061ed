import config from 'mc/config';
import { textOfBytes } from '../../../src/identity/text.js';
import type { Store } from '../../../src/ports.js';

/**
 * Settings beside the tunnel's configuration. Flash has the word (per device), then what was built in (per board, key
 * `ssid`, `password`, `apSsid`, `apPassword`, `shareSite`). Values are short ASCII texts; an empty one counts as none.
 */
export class Settings {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get ssid(): string | undefined {
    return this.#text('wifi.ssid', config.ssid);
  }

  /** Secret. */
  get password(): string | undefined {
    return this.#text('wifi.password', config.password);
  }

  get accessPointSsid(): string | undefined {
    return this.#text('ap.ssid', config.apSsid);
  }

  /** Secret. */
  get accessPointPassword(): string | undefined {
    return this.#text('ap.password', config.apPassword);
  }

  /** Whether peers may reach the network of the uplink, with this chip's address there. */
  get shareSite(): boolean {
    return this.#text('share.site', config.shareSite) === 'yes';
  }

  /** Secret. What this chip enrols with: the claim's URL, or its token beside `control`. */
  get claim(): string | undefined {
    return this.#text('claim', undefined);
  }

  /** `https://host` of the control plane, when the claim is a bare token. */
  get control(): string | undefined {
    return this.#text('control', undefined);
  }

  /** Pins of the control plane's key. */
  get pins(): readonly string[] {
    return this.#text('control.pins', undefined)?.split(/[\s,]+/) ?? [];
  }

  /** Certificates of authorities, PEM, in the place of the IDF's bundle. */
  get authorities(): string | undefined {
    return this.#text('control.ca', undefined);
  }

  #text(name: string, builtIn: unknown): string | undefined {
    const stored = this.#store.get(name);
    if (stored !== undefined) return stored.length > 0 ? textOfBytes(stored) : undefined;
    return typeof builtIn === 'string' && builtIn !== '' ? builtIn : undefined;
  }
}
