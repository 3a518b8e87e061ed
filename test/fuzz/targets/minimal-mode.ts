import { MinimalDevice } from '../../../host/gateway/platform/minimal-device.js';
import { Batch } from '../../../src/packet/batch.js';
import { ICMP_ECHO_REPLY, ICMPV6_ECHO_REPLY, IcmpView } from '../../../src/packet/icmp.js';
import { IPV6_MINIMUM_MTU, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../../../src/packet/ip.js';
import { Ipv4View } from '../../../src/packet/ipv4.js';
import { Ipv6View } from '../../../src/packet/ipv6.js';
import {
  concat,
  DESTINATION4,
  DESTINATION6,
  hex,
  ipv4,
  ipv6,
  SAMPLES,
  slowChecksum,
  udp,
  uint16,
} from '../../packet/samples.js';
import type { Random } from '../random.js';
import { demand, type Target } from '../target.js';

const MTU = 1420;

/**
 * The user-space mode, which answers pings, takes UDP and refuses the rest: for each packet at most one answer, whole,
 * with right checksums, to the sender, and never an error about an error (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
 */
export class MinimalMode implements Target {
  readonly name = 'minimal-mode';
  readonly weight = 8;
  readonly samples = [
    ...SAMPLES.map(({ packet }) => packet),
    ipv4(17, udp(4, new Uint8Array(1300))),
    ipv6(17, udp(6, new Uint8Array(1300))),
    // An ICMP error, and protocols that nobody speaks here.
    ipv4(1, withChecksum(concat(hex('0303 0000 00000000'), ipv4(17, new Uint8Array(8))))),
    ipv4(132, new Uint8Array(40)),
    ipv6(132, new Uint8Array(40)),
  ];
  readonly words = [DESTINATION4, DESTINATION6];
  readonly #device = new MinimalDevice([DESTINATION4, DESTINATION6], MTU);
  readonly #in = new Batch(2048, 1);
  readonly #out = new Batch(2048, 4);
  readonly #ipv4 = new Ipv4View();
  readonly #ipv6 = new Ipv6View();
  readonly #answer4 = new Ipv4View();
  readonly #answer6 = new Ipv6View();
  readonly #icmp = new IcmpView();
  #datagrams = 0;
  #replies = 0;
  #errors = 0;

  constructor() {
    for (const host of ['192.0.2.33', 'fd00:0:0:1::21']) {
      this.#device.openPort(host, 53).onDatagram = () => {
        this.#datagrams++;
      };
    }
  }

  run(message: Uint8Array, random: Random): void {
    // A wrong header checksum hides all that is behind it.
    if (random.once(2) && message.length >= 20 && message[0] === 0x45) {
      message.fill(0, 10, 12);
      message.set(uint16(slowChecksum(message.subarray(0, 20))), 10);
    }
    this.#in.clear();
    this.#in.push(message, 0, message.length);
    this.#device.writeBatch(this.#in);
    this.#out.clear();
    const answers = this.#device.readBatch(this.#out);
    demand(answers <= 1, 'more answers than questions');
    if (answers === 1) this.#check(message);
  }

  finish(): Readonly<Record<string, number>> {
    const { notForUs, malformed, fragments, refused } = this.#device.counters;
    return {
      datagrams: this.#datagrams,
      replies: this.#replies,
      errors: this.#errors,
      notForUs,
      malformed,
      fragments,
      refused,
    };
  }

  #check(message: Uint8Array): void {
    const question = this.#ipv4.at(message, 0, message.length) ? this.#ipv4 : this.#ipv6;
    demand(
      question.version === 4 || question.at(message, 0, message.length),
      'an answer to what is no packet',
    );
    const answer = question.version === 4 ? this.#answer4 : this.#answer6;
    const { bytes } = this.#out;
    const length = this.#out.length[0];
    demand(
      answer.at(bytes, this.#out.offset[0], length) && answer.totalLength === length,
      'an answer that is no packet',
    );
    if (answer.version === 4) demand(answer.checksumRight, 'an answer with a wrong header checksum');
    for (let i = 0; i < (answer.version === 4 ? 4 : 16); i++) {
      demand(
        bytes[answer.destinationOffset + i] === message[question.sourceOffset + i],
        'an answer to somebody else',
      );
      demand(
        bytes[answer.sourceOffset + i] === message[question.destinationOffset + i],
        'an answer in a false name',
      );
    }
    demand(
      answer.protocol === (answer.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6),
      'an answer other than ICMP',
    );
    const icmp = this.#icmp;
    demand(icmp.at(bytes, answer.payloadOffset, answer.payloadLength), 'an answer cut short');
    demand(icmp.checksumRight(answer), 'an answer with a wrong checksum');
    const isReply = icmp.type === (answer.version === 4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY);
    if (isReply) {
      this.#replies++;
      demand(length <= question.totalLength, 'a reply longer than the request');
    } else {
      this.#errors++;
      demand(length <= IPV6_MINIMUM_MTU, 'an error longer than any link takes');
      const isIcmp = question.protocol === (question.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6);
      demand(!isIcmp, 'an error about an ICMP message');
    }
  }
}

function withChecksum(message: Uint8Array): Uint8Array {
  message.set(uint16(slowChecksum(message)), 2);
  return message;
}
