import { formatPrefix, parsePrefix } from '../../../src/packet/address.js';
import { formatEndpoint, parseEndpoint } from '../../../src/packet/endpoint-text.js';
import { ascii, demand, latin1, type Target } from '../target.js';

/** Addresses, prefixes and endpoints: what is accepted is written and read back as the same. */
export class EndpointText implements Target {
  readonly name = 'endpoint-text';
  readonly weight = 20;
  readonly samples = [
    '192.0.2.1:51820',
    '[2001:db8::1]:51820',
    '[fe80::1%3]:51820',
    '[fe80::1%eth0]:51820',
    '[::ffff:192.0.2.1]:1',
    'vpn.example.net:51820',
    '10.0.0.0/8',
    'fd00:1:2:3:4:5:6:7/64',
    '::/0',
  ].map(ascii);
  readonly words = [
    ':',
    '::',
    '.',
    '%',
    '[',
    ']',
    '/',
    '0',
    '255',
    '256',
    'ffff',
    '65535',
    '65536',
    '128',
    '-',
  ].map(ascii);
  #addresses = 0;
  #names = 0;
  #refused = 0;
  #prefixes = 0;

  run(message: Uint8Array): void {
    const text = latin1(message);
    const endpoint = parseEndpoint(text, zoneIndex);
    if (endpoint.kind === 'address') {
      this.#addresses++;
      const again = parseEndpoint(formatEndpoint(endpoint.record, 0));
      demand(
        again.kind === 'address' && same(again.record, endpoint.record),
        'the endpoint does not come back',
      );
    } else if (endpoint.kind === 'name') {
      this.#names++;
      demand(
        endpoint.port > 0 && endpoint.port < 65536 && endpoint.host.length > 0,
        'a name without its parts',
      );
    } else {
      this.#refused++;
      demand(endpoint.message !== '' && endpoint.remedy !== '', 'a refusal without its reason');
    }
    const prefix = parsePrefix(text);
    if (prefix === undefined) return;
    this.#prefixes++;
    const again = parsePrefix(formatPrefix(prefix));
    demand(
      again !== undefined &&
        again.prefixLength === prefix.prefixLength &&
        same(again.address, prefix.address),
      'the prefix does not come back',
    );
  }

  finish(): Readonly<Record<string, number>> {
    return {
      addresses: this.#addresses,
      names: this.#names,
      refused: this.#refused,
      prefixes: this.#prefixes,
    };
  }
}

function zoneIndex(zone: string): number | undefined {
  return zone === 'eth0' ? 2 : undefined;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
