/** The portable primitives in the place of the Node host's: everything else there is C of Node's own. */

import { PortablePrimitives } from '../../../src/crypto/portable.js';
import { randomFillSync } from './node-crypto.js';

export class NodePrimitives extends PortablePrimitives {
  constructor() {
    super((out) => void randomFillSync(out));
  }
}
