import { formatCandidate, parseCandidate } from '../../../src/ice/candidate-text.js';
import { formatDescription, parseDescription } from '../../../src/ice/description.js';
import { StunView } from '../../../src/ice/stun-view.js';
import { TurnStream } from '../../../src/ice/turn-stream.js';
import { VirtualGateway } from '../../ice/virtual/gateway.js';
import { VirtualNetwork } from '../../ice/virtual/network.js';
import { encode, type TwinMessage } from '../../ice/virtual/stun-twin.js';
import { VirtualTurnServer } from '../../ice/virtual/turn-server.js';
import type { Random } from '../random.js';
import { ascii, demand, latin1, type Target } from '../target.js';

const SERVER = '203.0.113.100:3478';
const OUTSIDERS = [SERVER, '203.0.113.12:51820', '198.51.100.1:9'];
const UFRAG = 'abcd';
const PASSWORD = 'a password of 22 chars'.replaceAll(' ', '+');

/**
 * Two living agents with a relay, and between them whatever anybody may send: STUN, ChannelData, candidates,
 * descriptions. What was captured is in the samples, so that mutations come close to the real thing.
 */
export class Ice implements Target {
  readonly name = 'ice';
  readonly weight = 10;
  readonly samples: readonly Uint8Array[];
  readonly words = [
    '\x21\x12\xa4\x42',
    ...[
      '\x00\x06',
      '\x00\x08',
      '\x00\x14',
      '\x80\x28',
      '\x00\x20',
      '\x00\x12',
      '\x00\x13',
      '\x00\x09',
      '\x00\x15',
    ],
    ...['\x40\x00', '\x01\x01', '\x01\x11', '\x00\x17', '\x01\x13', '\x00\x01\x00\x00'],
    ...[
      'candidate:',
      ' typ ',
      'host',
      'srflx',
      'udp',
      'ufrag ',
      '127.0.0.1',
      '::',
      'a=ice-ufrag:',
      'a=ice-pwd:',
    ],
    ...['a=candidate:', '\r\n', '.local', '65536', '4294967296', 'raddr'],
  ].map(ascii);
  readonly #network = new VirtualNetwork(1);
  readonly #left: VirtualGateway;
  readonly #right: VirtualGateway;
  readonly #view = new StunView();
  readonly #stream = new TurnStream();
  #stun = 0;
  #candidates = 0;
  #descriptions = 0;
  #streamed = 0;

  constructor() {
    const network = this.#network;
    const server = new VirtualTurnServer(network, SERVER, { left: 'one', right: 'two' });
    const turn = (username: string, password: string) => [{ endpoint: server.endpoint, username, password }];
    const stun = [server.endpoint];
    this.#left = new VirtualGateway(network, {
      socket: '203.0.113.11:51820',
      controlling: true,
      stun,
      turn: turn('left', 'one'),
    });
    this.#right = new VirtualGateway(network, {
      socket: '203.0.113.12:51820',
      controlling: false,
      stun,
      turn: turn('right', 'two'),
    });
    const captured: Uint8Array[] = [];
    const send = network.send.bind(network);
    network.send = (from, to, bytes) => {
      if (captured.length < 64 && captured.every((one) => one[1] !== bytes[1] || one.length !== bytes.length))
        captured.push(bytes.slice());
      send(from, to, bytes);
    };
    this.#left.meet(this.#right);
    this.#right.meet(this.#left);
    network.run(network.now + 40_000, [this.#left, this.#right]);
    network.send = send;
    const data: TwinMessage = { class: 1, method: 7, id: Buffer.alloc(12), attributes: [] };
    data.attributes.push([0x12, Buffer.from([0, 1, 1, 1, 1, 1, 1, 1])], [0x13, Buffer.from(captured[0])]);
    const description = formatDescription(
      { ufrag: UFRAG, password: PASSWORD },
      this.#left.host.candidates,
      true,
    );
    this.samples = [
      ...captured,
      encode(data),
      Buffer.from([0x40, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0x40, 1, 0, 0]),
      ...this.#left.host.candidates.map((one) => ascii(formatCandidate(one, this.#right.agent.local.ufrag))),
      ascii('candidate:1 1 UDP 2130706431 192.168.1.100 54321 typ host'),
      ascii(description),
    ];
    demand(captured.length > 5, 'nothing was captured');
  }

  run(message: Uint8Array, random: Random): void {
    const text = latin1(message);
    const { candidate, refusal } = parseCandidate(text);
    if (candidate !== undefined) {
      this.#candidates++;
      const again = parseCandidate(formatCandidate(candidate, UFRAG)).candidate;
      // A host candidate needs no related address.
      const { related } = candidate.type === 'host' ? (again ?? candidate) : candidate;
      demand(
        JSON.stringify(again) === JSON.stringify({ ...candidate, related }),
        'the candidate does not come back',
      );
      this.#left.agent.addRemoteCandidate(text, this.#network.now);
    } else demand(refusal !== undefined, 'a refusal without its reason');
    const description = parseDescription(text);
    if (description !== undefined) {
      this.#descriptions++;
      const again = parseDescription(formatDescription(description, [], false));
      demand(again?.ufrag === description.ufrag, 'the description does not come back');
    }
    if (this.#view.at(message, 0, message.length)) this.#stun++;
    this.#stream.reset();
    const cut = random.below(message.length + 1);
    const count = (_bytes: Uint8Array, _offset: number, length: number) => {
      demand(length >= 4 && (length & 3) === 0, 'a message that is not padded');
      this.#streamed++;
    };
    if (this.#stream.receive(message, 0, cut, count))
      this.#stream.receive(message, cut, message.length - cut, count);
    this.#network.deliver(OUTSIDERS[random.below(OUTSIDERS.length)], this.#left.socket, message);
    if (random.once(64)) this.#network.run(this.#network.now + 100, [this.#left, this.#right]);
  }

  finish(): Readonly<Record<string, number>> {
    const network = this.#network;
    const ends = [this.#left, this.#right];
    network.run(network.now + 120_000, ends);
    for (const { agent } of ends) demand(agent.selected !== undefined, `${agent.state} ${agent.reason}`);
    this.#left.received.length = 0;
    this.#right.send('still there');
    network.run(network.now + 1_000, ends);
    demand(this.#left.received.includes('still there'), 'nothing passes any more');
    demand(this.#left.agent.pairs.length <= 100, 'more pairs than the limit');
    return {
      stun: this.#stun,
      candidates: this.#candidates,
      descriptions: this.#descriptions,
      streamed: this.#streamed,
    };
  }
}
