import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { bytesToHex, keyToBase64 } from '../../src/crypto/key-text.js';

/**
 * A secret reaches a problem's text if any run of its characters does. Eight are far more than chance, and far less
 * than what an attacker would need.
 */
function expectSilent(text: string, secret: string): void {
  const { problems } = parseWgQuick(text, { publicKeyOf: () => new Uint8Array(32) });
  const said = JSON.stringify(problems);
  for (let i = 0; i + 8 <= secret.length; i++) {
    expect(said.includes(secret.slice(i, i + 8)), `${said} tells of ${secret} in\n${text}`).toBe(false);
  }
}

const secret = fc.uint8Array({ minLength: 32, maxLength: 32 });

const PLACES: readonly (readonly [string, (secret: string) => string])[] = [
  ['as a private key', (s) => `[Interface]\nPrivateKey = ${s}\n`],
  ['as a preshared key', (s) => `[Peer]\nPresharedKey = ${s}\n`],
  ['as a public key', (s) => `[Peer]\nPublicKey = ${s}\n`],
  ['as an address', (s) => `[Interface]\nAddress = 10.0.0.1/24, ${s}\n`],
  ['as a name server', (s) => `[Interface]\nDNS = ${s}\n`],
  ['as an MTU', (s) => `[Interface]\nMTU = ${s}\n`],
  ['as a table', (s) => `[Interface]\nTable = ${s}\n`],
  ['as a mark', (s) => `[Interface]\nFwMark = ${s}\n`],
  ['as a port', (s) => `[Interface]\nListenPort = ${s}\n`],
  ['as a command', (s) => `[Interface]\nPostUp = wg set %i private-key ${s}\n`],
  ['as AllowedIPs', (s) => `[Peer]\nAllowedIPs = ${s}/32\n`],
  ['as an endpoint', (s) => `[Peer]\nEndpoint = ${s}\n`],
  ['as an endpoint with a port', (s) => `[Peer]\nEndpoint = ${s}:51820\n`],
  ['as a port of an endpoint', (s) => `[Peer]\nEndpoint = 192.0.2.1:${s}\n`],
  ['in brackets as an endpoint', (s) => `[Peer]\nEndpoint = [${s}]\n`],
  ['as a zone', (s) => `[Peer]\nEndpoint = [fe80::1%${s}]:51820\n`],
  ['as a keepalive', (s) => `[Peer]\nPersistentKeepalive = ${s}\n`],
  ['as a section', (s) => `[${s}]\n`],
  ['as a setting', (s) => `[Interface]\n${s} = 1\n`],
  ['as a line of its own', (s) => `[Interface]\nPrivateKey =\n${s}\n`],
  ['broken over lines', (s) => `[Interface]\nPrivateKey = ${s.slice(0, 28)}\n${s.slice(28)}\n`],
  ['before any section', (s) => `${s}\n[Interface]\n`],
  ['without "="', (s) => `[Interface]\nPrivateKey ${s}\n`],
  ['twice', (s) => `[Interface]\nPrivateKey = ${s}\nPrivateKey = ${s}\n`],
];

/** The secret whole, and as slips of hand leave it. */
const SLIPS: readonly (readonly [string, (key: Uint8Array) => string])[] = [
  ['whole', keyToBase64],
  ['without its end', (key) => keyToBase64(key).slice(0, 40)],
  ['without its beginning', (key) => keyToBase64(key).slice(3)],
  ['twice in a row', (key) => keyToBase64(key).repeat(2)],
  ['with a bad character', (key) => keyToBase64(key).replace(/.$/, '*')],
  ['in base64url', (key) => keyToBase64(key).replaceAll('+', '-').replaceAll('/', '_')],
  ['in hexadecimal', bytesToHex],
];

describe('a problem says nothing of a key', () => {
  describe.each(PLACES)('that stands %s', (_place, text) => {
    it.each(SLIPS)('%s', (_slip, write) => {
      fc.assert(
        fc.property(secret, (key) => expectSilent(text(write(key)), write(key))),
        { numRuns: 20 },
      );
    });
  });
});
