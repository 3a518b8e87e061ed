/** X25519 for the slow twin: the curve as the primitives' reference has it, and what the tests ask of it beside. */

import { BASE_POINT, toLittleEndian, x25519 } from '../../crypto/reference/x25519.js';

export { x25519 };

/** The field's prime (RFC 7748 section 4.1). */
const P = 2n ** 255n - 19n;

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return x25519(privateKey, BASE_POINT);
}

/** The u-coordinates of small order on the curve and its twist, reduced and not (RFC 7748 section 7). */
export const LOW_ORDER_POINTS: readonly Uint8Array[] = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
  P,
  P + 1n,
].map((point) => toLittleEndian(point, 32));
