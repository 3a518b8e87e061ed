/** What an enrolled gateway is, from its store. */

import type { Primitives } from '../crypto/primitives.js';
import type { HttpClient, Log, Store } from '../ports.js';
import { Enroller, type Enrolment } from './enrolment.js';
import { DeviceKeys } from './keys.js';
import type { Pins } from './pins.js';
import { SealedStore } from './sealed-store.js';

const PINS = 'pins';

export interface IdentityOptions {
  readonly primitives: Primitives;
  readonly store: Store;
  /** A client that takes only a server with one of these keys; any that is vouched for when there are none. */
  readonly http: (pins: Pins) => HttpClient;
  readonly log?: Log;
}

export class GatewayIdentity {
  readonly keys: DeviceKeys;
  readonly store: SealedStore;
  readonly #options: IdentityOptions;

  /** Makes the device's keys when there are none. Throws what the store throws. */
  constructor(options: IdentityOptions) {
    const { primitives, store, log } = options;
    this.#options = options;
    this.keys = new DeviceKeys(primitives, store);
    this.store = new SealedStore(primitives, store, this.keys.identity.privateKey, log);
  }

  get pins(): Pins {
    return (this.store.read(PINS) as Pins | undefined) ?? [];
  }

  set pins(pins: Pins) {
    if (pins.length === 0) this.store.delete(PINS);
    else this.store.write(PINS, [...pins]);
  }

  get http(): HttpClient {
    return this.#options.http(this.pins);
  }

  get enroller(): Enroller {
    const { primitives, log } = this.#options;
    return new Enroller(primitives, this.store, this.keys, this.http, log);
  }

  get enrolment(): Enrolment | undefined {
    return this.enroller.enrolment;
  }
}
