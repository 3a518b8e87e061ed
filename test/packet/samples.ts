/** Whole packets, made by hand from the RFCs' header diagrams; checksums come from `slowChecksum`. */

export interface Sample {
  readonly name: string;
  readonly packet: Uint8Array;
}

export const SOURCE4 = Uint8Array.of(10, 0, 0, 2);
export const DESTINATION4 = Uint8Array.of(192, 0, 2, 33);
export const SOURCE6 = hex('20010db8000000000000000000000002');
export const DESTINATION6 = hex('fd000000000000010000000000000021');

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(' ', '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** RFC 1071 as its first sentence says it, one word at a time with the carry brought round at once. */
export function slowChecksum(...parts: Uint8Array[]): number {
  const bytes = parts.flatMap((part) => [...part]);
  if (bytes.length % 2 === 1) bytes.push(0);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + bytes[i + 1];
    if (sum > 65535) sum -= 65535;
  }
  return 65535 - sum;
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

/** With `options`, a multiple of four bytes. */
export function ipv4(
  protocol: number,
  payload: Uint8Array,
  options: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const size = 20 + options.length;
  const head = concat(
    Uint8Array.of(0x40 | (size / 4), 0),
    uint16(size + payload.length),
    hex('1234 4000 40'),
    Uint8Array.of(protocol, 0, 0),
    SOURCE4,
    DESTINATION4,
    options,
  );
  head.set(uint16(slowChecksum(head)), 10);
  return concat(head, payload);
}

/** `next` is the first next-header value; extension headers are the beginning of `payload`. */
export function ipv6(next: number, payload: Uint8Array): Uint8Array {
  return concat(
    hex('60012345'),
    uint16(payload.length),
    Uint8Array.of(next, 63),
    SOURCE6,
    DESTINATION6,
    payload,
  );
}

function pseudo(version: 4 | 6, protocol: number, length: number): Uint8Array {
  return version === 4
    ? concat(SOURCE4, DESTINATION4, Uint8Array.of(0, protocol), uint16(length))
    : concat(SOURCE6, DESTINATION6, Uint8Array.of(0, 0), uint16(length), Uint8Array.of(0, 0, 0, protocol));
}

function withChecksum(message: Uint8Array, at: number, before: Uint8Array): Uint8Array {
  message.set(uint16(slowChecksum(before, message)), at);
  return message;
}

export function udp(version: 4 | 6, payload: Uint8Array): Uint8Array {
  const length = 8 + payload.length;
  return withChecksum(
    concat(uint16(40000), uint16(53), uint16(length), uint16(0), payload),
    6,
    pseudo(version, 17, length),
  );
}

export function tcp(version: 4 | 6, options: Uint8Array, payload: Uint8Array): Uint8Array {
  const size = 20 + options.length;
  const head = concat(
    uint16(50000),
    uint16(443),
    hex('89abcdef 01234567'),
    Uint8Array.of((size / 4) << 4, 0x12),
    hex('fde8 0000 0000'),
    options,
  );
  return withChecksum(concat(head, payload), 16, pseudo(version, 6, size + payload.length));
}

export function echo(version: 4 | 6, type: number, payload: Uint8Array): Uint8Array {
  const message = concat(Uint8Array.of(type, 0, 0, 0), hex('beef 0007'), payload);
  return withChecksum(message, 2, version === 4 ? new Uint8Array(0) : pseudo(6, 58, message.length));
}

const TEXT = hex('68656c6c6f21 00ff 80');
const MSS_AND_MORE = hex('01 01 02040578 03 03 07 01 01 00');

/** One of each kind that the views know, with and without options and extension headers. */
export const SAMPLES: readonly Sample[] = Object.freeze([
  { name: 'UDP over IPv4', packet: ipv4(17, udp(4, TEXT)) },
  { name: 'UDP over IPv6', packet: ipv6(17, udp(6, TEXT)) },
  { name: 'TCP over IPv4', packet: ipv4(6, tcp(4, MSS_AND_MORE, TEXT)) },
  { name: 'TCP over IPv6', packet: ipv6(6, tcp(6, MSS_AND_MORE, TEXT)) },
  { name: 'ICMP echo request', packet: ipv4(1, echo(4, 8, TEXT)) },
  { name: 'ICMPv6 echo request', packet: ipv6(58, echo(6, 128, TEXT)) },
  {
    name: 'ICMP echo request with IPv4 options',
    packet: ipv4(1, echo(4, 8, TEXT), hex('94040000 01010100')),
  },
  {
    name: 'ICMPv6 echo request behind extension headers',
    // Hop-by-hop options, destination options, routing with nothing left, AH: each names the next.
    packet: ipv6(
      0,
      concat(
        hex('3c00 0104 00000000'),
        hex('2b00 0104 00000000'),
        hex('3300 0400 00000000'),
        hex('3a04 0000 00000100 00000001 000000000000000000000000'),
        echo(6, 128, TEXT),
      ),
    ),
  },
  {
    name: 'the first fragment of UDP over IPv6',
    packet: ipv6(44, concat(hex('1100 0001 00000001'), udp(6, TEXT))),
  },
  { name: 'a later fragment over IPv6', packet: ipv6(44, concat(hex('3c00 0008 00000001'), TEXT)) },
  { name: 'no next header', packet: ipv6(59, TEXT) },
]);
