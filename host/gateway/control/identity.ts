/** What an enrolled gateway is, from its state folder. */

import { hostname } from 'node:os';
import type { Primitives } from '../../../src/crypto/primitives.js';
import type { DeviceInfo } from '../../../src/identity/enrolment.js';
import * as portable from '../../../src/identity/gateway-identity.js';
import type { Log, Store } from '../../../src/ports.js';
import { packageVersion } from '../version.js';
import type { Dial } from './dial.js';
import { NodeHttpClient } from './http-client.js';

/** With Node's HTTP. */
export class GatewayIdentity extends portable.GatewayIdentity {
  /** Makes the device's keys when there are none. Throws what the store throws. */
  constructor(primitives: Primitives, store: Store, log?: Log, dial?: Dial) {
    super({ primitives, store, log, http: (pins) => new NodeHttpClient(pins, undefined, dial) });
  }
}

export function deviceInfo(): DeviceInfo {
  return { hostname: hostname(), os: process.platform, arch: process.arch, version: packageVersion() };
}
