/** Keys and sections that the tests of wg-quick's format are made of. */

import nacl from 'tweetnacl';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { keyToBase64 } from '../../src/crypto/key-text.js';

export const PRIVATE = keyToBase64(new Uint8Array(32).fill(0x41));
export const PSK = keyToBase64(new Uint8Array(32).fill(0x42));
export const PEER_A = keyToBase64(nacl.scalarMult.base(new Uint8Array(32).fill(0x43)));
export const PEER_B = keyToBase64(nacl.scalarMult.base(new Uint8Array(32).fill(0x44)));
export const OWN = keyToBase64(nacl.scalarMult.base(new Uint8Array(32).fill(0x41)));

export const publicKeyOf = (key: Uint8Array) => nacl.scalarMult.base(key);

export function read(text: string) {
  return parseWgQuick(text, { publicKeyOf });
}

export const INTERFACE = `[Interface]\nPrivateKey = ${PRIVATE}\nAddress = 10.0.0.1/24\n`;
export const PEER = `[Peer]\nPublicKey = ${PEER_A}\nAllowedIPs = 10.0.0.2/32\n`;
