import { IcmpView, isEchoRequest } from '../../src/packet/icmp.js';
import {
  ipLength,
  ipVersion,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '../../src/packet/ip.js';
import { Ipv4View } from '../../src/packet/ipv4.js';
import { Ipv6View } from '../../src/packet/ipv6.js';
import { TcpView } from '../../src/packet/tcp.js';
import { UdpView } from '../../src/packet/udp.js';

/**
 * Points every view at a message and reads every accessor, as a hostile packet's reader would. The result is a digest
 * of all that was read; `Error` when a view hands out a place outside of the message or something that is no number.
 */
export class Reader {
  readonly #ipv4 = new Ipv4View();
  readonly #ipv6 = new Ipv6View();
  readonly #udp = new UdpView();
  readonly #tcp = new TcpView();
  readonly #icmp = new IcmpView();
  #digest = 0;
  #offset = 0;
  #end = 0;
  /** Messages whose transport header was understood, so that a test can show that it reached that far. */
  understood = 0;

  read(bytes: Uint8Array, offset: number, length: number): number {
    this.#digest = 0;
    this.#offset = offset;
    this.#end = offset + length;
    this.#mix(ipVersion(bytes, offset, length));
    const claimed = ipLength(bytes, offset, length);
    this.#mix(claimed);
    if (claimed > length) throw new Error(`ipLength ${claimed} > ${length}`);
    if (this.#ipv4.at(bytes, offset, length)) this.#ip(this.#ipv4);
    else if (this.#ipv6.at(bytes, offset, length)) this.#ip(this.#ipv6);
    // Also the transport views alone: their caller may have found the place in another way.
    this.#transport(undefined, bytes, offset, length);
    return this.#digest;
  }

  #ip(ip: Ipv4View | Ipv6View): void {
    this.#mix(ip.trafficClass, ip.hopLimit, ip.protocol, ip.totalLength, ip.headerLength);
    this.#mix(ip.isFragment ? 1 : 0, ip.moreFragments ? 1 : 0, ip.fragmentOffset, ip.payloadLength);
    this.#inside(ip.sourceOffset, ip.version === 4 ? 4 : 16);
    this.#inside(ip.destinationOffset, ip.version === 4 ? 4 : 16);
    this.#inside(ip.payloadOffset, ip.payloadLength);
    if (ip.version === 4) this.#mix(ip.identification, ip.dontFragment ? 1 : 0, ip.checksumRight ? 1 : 0);
    else this.#mix(ip.flowLabel);
    if (ip.fragmentOffset === 0) this.#transport(ip, ip.bytes, ip.payloadOffset, ip.payloadLength);
  }

  #transport(ip: Ipv4View | Ipv6View | undefined, bytes: Uint8Array, offset: number, length: number): void {
    const protocol = ip?.protocol;
    if ((ip === undefined || protocol === PROTOCOL_UDP) && this.#udp.at(bytes, offset, length)) {
      const udp = this.#udp;
      this.#mix(udp.sourcePort, udp.destinationPort, udp.length, udp.checksum, udp.payloadLength);
      this.#inside(udp.payloadOffset, udp.payloadLength);
      this.#sumOf(ip, udp);
    }
    if ((ip === undefined || protocol === PROTOCOL_TCP) && this.#tcp.at(bytes, offset, length)) {
      const tcp = this.#tcp;
      this.#mix(tcp.sourcePort, tcp.destinationPort, tcp.sequence, tcp.acknowledgment, tcp.flags);
      this.#mix(tcp.window, tcp.checksum, tcp.headerLength, tcp.payloadLength, tcp.maximumSegmentSize);
      this.#inside(tcp.payloadOffset, tcp.payloadLength);
      for (let kind = 0; kind < 9; kind++) {
        const at = tcp.optionOffset(kind);
        if (at >= 0) this.#inside(at, 2);
      }
      this.#sumOf(ip, tcp);
    }
    const isIcmp = protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6;
    if ((ip === undefined || isIcmp) && this.#icmp.at(bytes, offset, length)) {
      const icmp = this.#icmp;
      this.#mix(icmp.type, icmp.code, icmp.checksum, icmp.identifier, icmp.sequence, icmp.payloadLength);
      this.#inside(icmp.payloadOffset, icmp.payloadLength);
      if (ip !== undefined) this.#mix(isEchoRequest(ip, icmp) ? 1 : 0);
      this.#sumOf(ip, icmp);
    }
  }

  #sumOf(ip: Ipv4View | Ipv6View | undefined, view: UdpView | TcpView | IcmpView): void {
    if (ip === undefined) return;
    this.understood++;
    this.#mix(view.checksumRight(ip) ? 1 : 0);
  }

  #inside(at: number, length: number): void {
    if (!(at >= this.#offset && length >= 0 && at + length <= this.#end)) {
      throw new Error(`${at}+${length} is outside of ${this.#offset}..${this.#end}`);
    }
    this.#mix(at - this.#offset, length);
  }

  #mix(a: number, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    if (Number.isNaN(a + b + c + d + e + f)) throw new Error('a view read something that is no number');
    let digest = this.#digest;
    digest = Math.imul(digest ^ a, 0x01000193);
    digest = Math.imul(digest ^ b, 0x01000193);
    digest = Math.imul(digest ^ c, 0x01000193);
    digest = Math.imul(digest ^ d, 0x01000193);
    digest = Math.imul(digest ^ e, 0x01000193);
    this.#digest = Math.imul(digest ^ f, 0x01000193) ^ (digest >>> 15);
  }
}
