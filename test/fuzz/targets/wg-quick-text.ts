import { parseWgQuick } from '../../../src/config/wg-quick.js';
import { formatWgQuick } from '../../../src/config/wg-quick-text.js';
import { keyToBase64 } from '../../../src/crypto/key-text.js';
import { ascii, demand, latin1, type Target } from '../target.js';

const KEY = keyToBase64(new Uint8Array(32).fill(0x55));
/** Enough of it to be no accident. */
const KEY_PART = KEY.slice(0, 8);
const PEER = keyToBase64(new Uint8Array(32).fill(0x66));

/** wg-quick text: a configuration or a reason, and what is accepted is written and read back as the same. */
export class WgQuickText implements Target {
  readonly name = 'wg-quick-text';
  readonly weight = 6;
  readonly samples = [
    `[Interface]\nPrivateKey = ${KEY}\nAddress = 10.0.0.1/24, fd00::1/64\nListenPort = 51820\n`,
    `[Interface]\nPrivateKey=${KEY}\nMTU=1400\nDNS=9.9.9.9,lan\nTable=off\nFwMark=0x1\nPostUp=a %i # b\r\n`,
    `[Interface]\nPrivateKey=${KEY}\n[Peer]\nPublicKey=${PEER}\nAllowedIPs=10.0.0.2/32,::/0\nEndpoint=[::1%1]:5\n`,
    `[Interface]\nPrivateKey=${KEY}\n[Peer]\nPublicKey=${PEER}\nPresharedKey=${KEY}\nEndpoint=a.b:1\nPersistentKeepalive=25`,
  ].map(ascii);
  readonly words = [
    '\n',
    '\r\n',
    '=',
    ',',
    '#',
    '[',
    ']',
    '[Peer]\n',
    '[Interface]\n',
    'Address = ',
    'AllowedIPs = ',
    'MTU = ',
    'off',
    'auto',
    'Endpoint = ',
    'DNS = ',
    'PreDown = ',
    'SaveConfig = true\n',
    '10.0.0.1',
    'fd00::1',
    '/0',
    '0x',
    KEY,
    '\xef\xbb\xbf',
  ].map(ascii);
  #accepted = 0;
  #refused = 0;

  run(message: Uint8Array): void {
    const { config, problems } = parseWgQuick(latin1(message));
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    demand((config === undefined) === errors > 0, 'a configuration with errors, or neither');
    for (const problem of problems) {
      demand(
        problem.line >= 1 && problem.message !== '' && problem.remedy !== '',
        'a problem without its parts',
      );
      const said = problem.key + problem.message + problem.remedy;
      demand(!said.includes(KEY_PART), 'a problem that tells of a key');
    }
    if (config === undefined) {
      this.#refused++;
      return;
    }
    this.#accepted++;
    const text = formatWgQuick(config);
    const again = parseWgQuick(text).config;
    demand(again !== undefined && formatWgQuick(again) === text, 'the configuration does not come back');
  }

  finish(): Readonly<Record<string, number>> {
    return { accepted: this.#accepted, refused: this.#refused };
  }
}
