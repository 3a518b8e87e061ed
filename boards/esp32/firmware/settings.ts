import config from 'mc/config';
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

  #text(name: string, builtIn: unknown): string | undefined {
    const stored = this.#store.get(name);
    if (stored !== undefined) return stored.length > 0 ? String.fromCharCode(...stored) : undefined;
    return typeof builtIn === 'string' && builtIn !== '' ? builtIn : undefined;
  }
}
