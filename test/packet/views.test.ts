import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IcmpView } from '../../src/packet/icmp.js';
import { Ipv4View } from '../../src/packet/ipv4.js';
import { Ipv6View, MAX_EXTENSION_HEADERS } from '../../src/packet/ipv6.js';
import { TCP_ACK, TCP_SYN, TcpView } from '../../src/packet/tcp.js';
import { UdpView } from '../../src/packet/udp.js';
import { Reader } from './read-everything.js';
import {
  concat,
  DESTINATION4,
  DESTINATION6,
  echo,
  hex,
  ipv4,
  ipv6,
  SAMPLES,
  SOURCE4,
  SOURCE6,
  tcp,
  udp,
} from './samples.js';
import { surround } from './surroundings.js';

const TEXT = hex('0102030405');

function part(view: { bytes: Uint8Array }, at: number, length: number): Uint8Array {
  return view.bytes.slice(at, at + length);
}

describe('Ipv4View', () => {
  it('reads every field', () => {
    const view = new Ipv4View();
    const packet = ipv4(17, udp(4, TEXT), hex('94040000'));
    packet[1] = 0xb8;
    expect(view.at(surround(packet, 0xee, 7, 9), 7, packet.length + 9)).toBe(true);
    expect(view).toMatchObject({
      version: 4,
      headerLength: 24,
      totalLength: packet.length,
      trafficClass: 0xb8,
      identification: 0x1234,
      dontFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      isFragment: false,
      hopLimit: 64,
      protocol: 17,
      payloadOffset: 7 + 24,
      payloadLength: 13,
    });
    expect(part(view, view.sourceOffset, 4)).toEqual(SOURCE4);
    expect(part(view, view.destinationOffset, 4)).toEqual(DESTINATION4);
  });

  it('knows a right header checksum from a wrong one', () => {
    const view = new Ipv4View();
    const packet = ipv4(17, udp(4, TEXT));
    expect(view.at(packet, 0, packet.length) && view.checksumRight).toBe(true);
    packet[8] ^= 1;
    expect(view.checksumRight).toBe(false);
  });

  it.each([
    ['the first', 0x2000, true, 0],
    ['a middle one', 0x2001, true, 8],
    ['the last', 0x1fff, false, 65528],
  ])('sees %s fragment', (_name, word, more, offset) => {
    const packet = ipv4(17, TEXT);
    packet[6] = word >>> 8;
    packet[7] = word & 0xff;
    const view = new Ipv4View();
    expect(view.at(packet, 0, packet.length)).toBe(true);
    expect(view).toMatchObject({ isFragment: true, moreFragments: more, fragmentOffset: offset });
  });

  it('refuses IPv6 and what ends too early', () => {
    const view = new Ipv4View();
    const six = ipv6(17, udp(6, TEXT));
    expect(view.at(six, 0, six.length)).toBe(false);
    const packet = ipv4(17, udp(4, TEXT));
    for (let length = 0; length < packet.length; length++) expect(view.at(packet, 0, length)).toBe(false);
  });
});

describe('Ipv6View', () => {
  it('reads every field', () => {
    const view = new Ipv6View();
    const packet = ipv6(58, echo(6, 128, TEXT));
    packet[0] = 0x6b;
    packet[1] = 0x8a;
    expect(view.at(surround(packet, 0xee, 3, 3), 3, packet.length + 3)).toBe(true);
    expect(view).toMatchObject({
      version: 6,
      totalLength: packet.length,
      trafficClass: 0xb8,
      flowLabel: 0xa2345,
      hopLimit: 63,
      protocol: 58,
      headerLength: 40,
      payloadOffset: 43,
      payloadLength: 13,
      isFragment: false,
    });
    expect(part(view, view.sourceOffset, 16)).toEqual(SOURCE6);
    expect(part(view, view.destinationOffset, 16)).toEqual(DESTINATION6);
  });

  function walk(next: number, payload: Uint8Array): Ipv6View | undefined {
    const view = new Ipv6View();
    const packet = ipv6(next, payload);
    return view.at(packet, 0, packet.length) ? view : undefined;
  }

  it('walks hop-by-hop, destination, routing and authentication headers', () => {
    const sample = SAMPLES.find(({ name }) => name.includes('extension headers'))!;
    const view = new Ipv6View();
    expect(view.at(sample.packet, 0, sample.packet.length)).toBe(true);
    expect(view).toMatchObject({ protocol: 58, headerLength: 40 + 8 + 8 + 8 + 24, payloadLength: 17 });
  });

  it('stops at a later fragment, whose payload is no header', () => {
    expect(walk(44, concat(hex('3c00 0009 00000001'), TEXT))).toMatchObject({
      protocol: 60,
      isFragment: true,
      moreFragments: true,
      fragmentOffset: 8,
      payloadOffset: 48,
      payloadLength: 5,
    });
  });

  it('goes on behind an atomic fragment header', () => {
    expect(
      walk(44, concat(hex('3c00 0000 00000001'), hex('1100 0104 00000000'), udp(6, TEXT))),
    ).toMatchObject({
      protocol: 17,
      isFragment: true,
      moreFragments: false,
      fragmentOffset: 0,
      payloadOffset: 56,
    });
  });

  it('leaves ESP and "no next header" alone', () => {
    expect(walk(50, TEXT)).toMatchObject({ protocol: 50, payloadLength: 5 });
    expect(walk(59, TEXT)).toMatchObject({ protocol: 59, payloadLength: 5 });
  });

  const options = (next: number) => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
  const chain = (count: number) =>
    concat(...Array.from({ length: count }, (_, i) => options(i === count - 1 ? 17 : 60)), udp(6, TEXT));

  it('takes as many extension headers as the limit, and not one more', () => {
    expect(walk(60, chain(MAX_EXTENSION_HEADERS))).toMatchObject({ protocol: 17, payloadLength: 13 });
    expect(walk(60, chain(MAX_EXTENSION_HEADERS + 1))).toBeUndefined();
  });

  it.each([
    ['an extension header that is cut short', 60, hex('1100 0104 000000')],
    ['an extension header longer than the packet', 60, hex('1101 0104 00000000')],
    ['one with the greatest length', 60, concat(hex('11ff 0104 00000000'), udp(6, TEXT))],
    ['an authentication header longer than the packet', 51, hex('1104 0000 00000100 00000001')],
    ['hop-by-hop options that are not first', 60, concat(options(0), options(17), udp(6, TEXT))],
    ['a routing header with segments left (RFC 5095)', 43, concat(hex('1100 0001 00000000'), udp(6, TEXT))],
    ['a fragment of a fragment', 44, concat(hex('2c00 0001 00000001'), hex('1100 0001 00000002'), TEXT)],
    ['no room for the first header', 44, new Uint8Array(0)],
  ])('refuses %s', (_name, next, payload) => {
    expect(walk(next, payload)).toBeUndefined();
  });
});

describe('UdpView', () => {
  it('reads every field and trims to its own length', () => {
    const datagram = udp(4, TEXT);
    const view = new UdpView();
    expect(view.at(surround(datagram, 0xee, 2, 6), 2, datagram.length + 6)).toBe(true);
    expect(view).toMatchObject({
      sourcePort: 40000,
      destinationPort: 53,
      length: 13,
      payloadOffset: 10,
      payloadLength: 5,
    });
  });

  it.each([
    ['a length below the header', hex('9c40 0035 0007 0000')],
    ['a length of zero', hex('9c40 0035 0000 0000')],
    ['a length beyond the packet', hex('9c40 0035 0009 0000')],
    ['seven bytes', hex('9c40 0035 0008 00')],
  ])('refuses %s', (_name, bytes) => {
    expect(new UdpView().at(bytes, 0, bytes.length)).toBe(false);
  });

  it('takes a missing checksum over IPv4 and refuses it over IPv6', () => {
    for (const [packet, ip, right] of [
      [ipv4(17, udp(4, TEXT)), new Ipv4View(), true],
      [ipv6(17, udp(6, TEXT)), new Ipv6View(), false],
    ] as const) {
      const view = new UdpView();
      expect(ip.at(packet, 0, packet.length)).toBe(true);
      expect(view.at(packet, ip.payloadOffset, ip.payloadLength)).toBe(true);
      expect(view.checksumRight(ip)).toBe(true);
      packet[ip.payloadOffset + 8] ^= 1;
      expect(view.checksumRight(ip)).toBe(false);
      packet.fill(0, ip.payloadOffset + 6, ip.payloadOffset + 8);
      expect(view.checksumRight(ip)).toBe(right);
    }
  });
});

describe('TcpView', () => {
  it('reads every field', () => {
    const segment = tcp(4, hex('01 01 02040578 0402'), TEXT);
    const view = new TcpView();
    expect(view.at(surround(segment, 0xee, 1, 0), 1, segment.length)).toBe(true);
    expect(view).toMatchObject({
      sourcePort: 50000,
      destinationPort: 443,
      sequence: 0x89abcdef,
      acknowledgment: 0x01234567,
      flags: TCP_SYN | TCP_ACK,
      window: 0xfde8,
      headerLength: 28,
      payloadOffset: 29,
      payloadLength: 5,
      maximumSegmentSize: 1400,
    });
    expect(view.optionOffset(4)).toBe(1 + 20 + 6);
    expect(view.optionOffset(8)).toBe(-1);
  });

  it.each([
    ['a data offset below five words', 12, 0x40],
    ['a data offset beyond the packet', 12, 0xf0],
  ])('refuses %s', (_name, at, value) => {
    const segment = tcp(4, new Uint8Array(0), TEXT);
    segment[at] = value;
    expect(new TcpView().at(segment, 0, segment.length)).toBe(false);
  });

  it.each([
    ['a length of zero', hex('0300 0204 0578 0000')],
    ['a length of one', hex('0301 0204 0578 0000')],
    ['a length beyond the header', hex('0309 0204 0578 0000')],
    ['a kind without a length', hex('01010101 01010102')],
    ['the end of the list before it', hex('00 02040578 000000')],
    ['the end of the header within it', hex('01010204')],
    ['the end of the header within its kind', hex('01010102')],
  ])('finds no option behind %s, and comes back', (_name, options) => {
    const view = new TcpView();
    for (const payload of [hex('0405 7800'), new Uint8Array(0)]) {
      const segment = tcp(4, options, payload);
      expect(view.at(segment, 0, segment.length)).toBe(true);
      expect(view.optionOffset(2)).toBe(-1);
      expect(view.maximumSegmentSize).toBe(0);
    }
  });

  it('does not take an MSS of another size for one', () => {
    const segment = tcp(4, hex('0203 05 01 01010101'), TEXT);
    const view = new TcpView();
    expect(view.at(segment, 0, segment.length)).toBe(true);
    expect(view.optionOffset(2)).toBe(20);
    expect(view.maximumSegmentSize).toBe(0);
  });

  it.each([4, 6] as const)('knows a right checksum over IPv%d', (version) => {
    const segment = tcp(version, new Uint8Array(0), TEXT);
    const packet = version === 4 ? ipv4(6, segment) : ipv6(6, segment);
    const ip = version === 4 ? new Ipv4View() : new Ipv6View();
    const view = new TcpView();
    expect(ip.at(packet, 0, packet.length)).toBe(true);
    expect(view.at(packet, ip.payloadOffset, ip.payloadLength)).toBe(true);
    expect(view.checksumRight(ip)).toBe(true);
    packet[ip.sourceOffset] ^= 0x80;
    expect(view.checksumRight(ip)).toBe(false);
  });
});

describe('IcmpView', () => {
  it('reads every field', () => {
    const message = echo(4, 8, TEXT);
    const view = new IcmpView();
    expect(view.at(surround(message, 0xee, 5, 5), 5, message.length)).toBe(true);
    expect(view).toMatchObject({
      type: 8,
      code: 0,
      identifier: 0xbeef,
      sequence: 7,
      payloadOffset: 13,
      payloadLength: 5,
    });
    expect(view.at(message, 0, 7)).toBe(false);
  });
});

/** Messages near enough to real ones that the views go deep: a sample, cut or lengthened, with some bytes changed. */
const mutated = fc
  .record({
    sample: fc.constantFrom(...SAMPLES),
    changes: fc.array(fc.tuple(fc.nat(120), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    // Mostly whole: a length that the header contradicts hides everything behind it.
    cut: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, fc.integer({ min: -24, max: 8 })),
  })
  .map(({ sample, changes, cut }) => {
    const size = Math.max(0, sample.packet.length + cut);
    const bytes = new Uint8Array(size);
    bytes.set(sample.packet.subarray(0, size));
    for (const [at, value] of changes) if (at < size) bytes[at] = value;
    return bytes;
  });

describe('every view', () => {
  it('understands the samples', () => {
    for (const { name, packet } of SAMPLES) {
      const reader = new Reader();
      reader.read(packet, 0, packet.length);
      expect(reader.understood, name).toBe(name.startsWith('a later') || name.startsWith('no next') ? 0 : 1);
    }
  });

  it('reads nothing outside of its bytes, whatever they are', () => {
    const reader = new Reader();
    fc.assert(
      fc.property(
        fc.oneof(mutated, fc.uint8Array({ maxLength: 128 })),
        fc.nat(40),
        fc.nat(40),
        (message, before, after) => {
          const alone = reader.read(message, 0, message.length);
          for (const filler of [0x00, 0xff, 0x45, 0x3c]) {
            const bytes = surround(message, filler, before, after);
            expect(reader.read(bytes, before, message.length)).toBe(alone);
          }
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('refuses a place that is not inside its array', () => {
    for (const { packet } of SAMPLES) {
      for (const view of [new Ipv4View(), new Ipv6View(), new UdpView(), new TcpView(), new IcmpView()]) {
        expect(view.at(packet, 8, packet.length)).toBe(false);
        expect(view.at(packet, packet.length, 60)).toBe(false);
      }
    }
  });
});
