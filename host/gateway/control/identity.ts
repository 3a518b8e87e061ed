/** What an enrolled gateway is, from its state folder. */

import { hostname } from 'node:os';
import type { Primitives } from '../../../src/crypto/primitives.js';
import { type DeviceInfo, Enroller, type Enrolment } from '../../../src/identity/enrolment.js';
import { DeviceKeys } from '../../../src/identity/keys.js';
import { SealedStore } from '../../../src/identity/sealed-store.js';
import type { Log, Store } from '../../../src/ports.js';
import { packageVersion } from '../version.js';
import type { Dial } from './dial.js';
import { NodeHttpClient } from './http-client.js';
import type { Pins } from './tls.js';

const PINS = 'pins';

export class GatewayIdentity {
  readonly keys: DeviceKeys;
  readonly store: SealedStore;
  readonly #primitives: Primitives;
  readonly #log: Log | undefined;
  readonly #dial: Dial | undefined;

  /** Makes the device's keys when there are none. Throws what the store throws. */
  constructor(primitives: Primitives, store: Store, log?: Log, dial?: Dial) {
    this.#primitives = primitives;
    this.#log = log;
    this.#dial = dial;
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

  get http(): NodeHttpClient {
    return new NodeHttpClient(this.pins, undefined, this.#dial);
  }

  get enroller(): Enroller {
    return new Enroller(this.#primitives, this.store, this.keys, this.http, this.#log);
  }

  get enrolment(): Enrolment | undefined {
    return this.enroller.enrolment;
  }
}

export function deviceInfo(): DeviceInfo {
  return { hostname: hostname(), os: process.platform, arch: process.arch, version: packageVersion() };
}
