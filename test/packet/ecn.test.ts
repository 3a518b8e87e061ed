import { describe, expect, it } from 'vitest';
import {
  CE,
  decapsulatedEcn,
  ECN_DROP,
  ECT_0,
  ECT_1,
  HANDSHAKE_TRAFFIC_CLASS,
  isEcnAnomaly,
  NOT_ECT,
  outerTrafficClass,
  takeOverEcn,
  trafficClassOf,
} from '../../src/packet/ecn.js';
import { Ipv4View } from '../../src/packet/ipv4.js';
import { Ipv6View } from '../../src/packet/ipv6.js';
import { hex, ipv4, ipv6, slowChecksum, uint16 } from './samples.js';
import { surround } from './surroundings.js';

const FIELDS = [NOT_ECT, ECT_0, ECT_1, CE];

/** RFC 6040 figure 4: rows are the inner field, columns the outer one, both in the order of `FIELDS`. */
const FIGURE_4 = [
  [NOT_ECT, NOT_ECT, NOT_ECT, ECN_DROP],
  [ECT_0, ECT_0, ECT_1, CE],
  [ECT_1, ECT_1, ECT_1, CE],
  [CE, CE, CE, CE],
];
/** Its exclamation marks. */
const ANOMALIES = [
  [false, true, true, true],
  [false, false, false, false],
  [false, true, false, false],
  [false, false, true, false],
];

const NO_OPTIONS: Uint8Array = new Uint8Array(0);
const PAYLOAD = hex('0102 0304 05');

/** A packet with every other bit of its header set so that a bit changed by mistake shows. */
function packet4(trafficClass: number, options: Uint8Array = NO_OPTIONS): Uint8Array {
  const packet = ipv4(17, PAYLOAD, options);
  packet[1] = trafficClass;
  packet.set([0, 0], 10);
  packet.set(uint16(slowChecksum(packet.subarray(0, 20 + options.length))), 10);
  return packet;
}

function packet6(trafficClass: number): Uint8Array {
  const packet = ipv6(17, PAYLOAD);
  packet[0] = 0x60 | (trafficClass >>> 4);
  packet[1] = ((trafficClass & 15) << 4) | 0x0a;
  return packet;
}

describe('congestion marks through the tunnel', () => {
  it('numbers the fields as RFC 3168 does', () => {
    expect([NOT_ECT, ECT_1, ECT_0, CE]).toEqual([0b00, 0b01, 0b10, 0b11]);
  });

  it('goes in as RFC 6040 figure 3 says, without the DSCP', () => {
    for (let inner = 0; inner < 256; inner++) {
      expect(outerTrafficClass(inner, 'normal')).toBe(inner & 3);
      expect(outerTrafficClass(inner, 'compatibility')).toBe(NOT_ECT);
    }
    // RFC 2597 section 6: AF41 is 100010.
    expect(HANDSHAKE_TRAFFIC_CLASS).toBe(0b100010 << 2);
  });

  it('comes out as RFC 6040 figure 4 says, whatever the DSCP', () => {
    for (const [row, inner] of FIELDS.entries())
      for (const [column, outer] of FIELDS.entries())
        for (const dscp of [0, 0x88, 0xfc]) {
          expect(decapsulatedEcn(dscp | inner, outer)).toBe(FIGURE_4[row][column]);
          expect(decapsulatedEcn(inner, dscp | outer)).toBe(FIGURE_4[row][column]);
          expect(isEcnAnomaly(dscp | inner, outer)).toBe(ANOMALIES[row][column]);
          expect(isEcnAnomaly(inner, dscp | outer)).toBe(ANOMALIES[row][column]);
        }
  });

  it('gives back what went in where no router marked, in either mode', () => {
    for (const inner of FIELDS)
      for (const mode of ['normal', 'compatibility'] as const) {
        const outer = outerTrafficClass(inner, mode);
        expect(decapsulatedEcn(inner, outer)).toBe(inner);
        expect(isEcnAnomaly(inner, outer)).toBe(false);
      }
  });

  it('reads the traffic class of both versions as the views do', () => {
    const view4 = new Ipv4View();
    const view6 = new Ipv6View();
    for (let trafficClass = 0; trafficClass < 256; trafficClass++) {
      const four = surround(packet4(trafficClass), 0xff, 3, 2);
      const six = surround(packet6(trafficClass), 0xff, 5, 2);
      expect(trafficClassOf(four, 3)).toBe(trafficClass);
      expect(trafficClassOf(six, 5)).toBe(trafficClass);
      view4.at(four, 3, four.length - 5);
      view6.at(six, 5, six.length - 7);
      expect([view4.trafficClass, view6.trafficClass]).toEqual([trafficClass, trafficClass]);
    }
  });

  it('marks every IPv4 packet in every way, and its checksum is right again', () => {
    // Options make the header longer, not the sum wrong: all of it is covered.
    for (const options of [NO_OPTIONS, hex('9404 0000')])
      for (let inner = 0; inner < 256; inner++)
        for (const outer of FIELDS) {
          const before = packet4(inner, options);
          const bytes = surround(before, 0xa5, 7, 4);
          const ecn = takeOverEcn(bytes, 7, outer);
          expect(ecn).toBe(decapsulatedEcn(inner, outer));
          const expected = ecn === ECN_DROP ? before : packet4((inner & ~3) | ecn, options);
          expect(bytes).toEqual(surround(expected, 0xa5, 7, 4));
        }
  });

  it('marks every IPv6 packet in every way', () => {
    for (let inner = 0; inner < 256; inner++)
      for (const outer of FIELDS) {
        const before = packet6(inner);
        const bytes = surround(before, 0xa5, 1, 4);
        const ecn = takeOverEcn(bytes, 1, outer);
        expect(ecn).toBe(decapsulatedEcn(inner, outer));
        const expected = ecn === ECN_DROP ? before : packet6((inner & ~3) | ecn);
        expect(bytes).toEqual(surround(expected, 0xa5, 1, 4));
      }
  });

  it('does not repair a header whose checksum was wrong', () => {
    for (let wrong = 1; wrong < 0xffff; wrong += 257) {
      const packet = packet4(ECT_0);
      const right = (packet[10] << 8) | packet[11];
      packet.set(uint16(right ^ wrong), 10);
      expect(takeOverEcn(packet, 0, CE)).toBe(CE);
      const now = (packet[10] << 8) | packet[11];
      expect(slowChecksum(packet.subarray(0, 20))).not.toBe(0);
      // Off by as much as before, in the arithmetic of the ones' complement.
      const marked = packet4(CE);
      const due = (marked[10] << 8) | marked[11];
      expect((now - due + 0xffff) % 0xffff).toBe(((right ^ wrong) - right + 0xffff) % 0xffff);
    }
  });
});
