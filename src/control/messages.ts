/**
 * Every message between a gateway and its control plane, in one place: who sends it, what it means, what it holds
 * and how large it may be. The seed document names the types marked `seed`; it leaves most of their contents, and
 * the other types, to be defined, which is done here. `docs` are generated from this table.
 */

import {
  asFields,
  type Field,
  type Fields,
  flag,
  integer,
  list,
  number,
  oneOf,
  optional,
  record,
  type Shape,
  text,
} from './shape.js';

export type Direction = 'up' | 'down' | 'both';

export interface MessageType {
  readonly direction: Direction;
  /** Named by the seed document. */
  readonly seed: boolean;
  /** One line for the document. */
  readonly doc: string;
  /** Most bytes of the whole envelope as UTF-8 towards a gateway with small messages. */
  readonly mostBytes: number;
  readonly data: Fields;
}

/** What a board with little memory takes; it says so in `hello`. */
export const SMALL_MESSAGE_BYTES = 4096;
/** What nobody may exceed (seed, section 5, `max_message_size`). */
export const LARGEST_MESSAGE_BYTES = 65_536;

const IDENTIFIER = text(64);
const KEY = text(44, 'base64 of 32 bytes');
const PREFIX = text(49, 'address/length');
const ENDPOINT = text(262, 'address or name, and port');
const SEQUENCE = integer(0, Number.MAX_SAFE_INTEGER);
const MILLISECONDS = number(0, 1e15);

/** One peer of the gateway's tunnel. */
export const PEER: Shape = record({
  id: IDENTIFIER,
  public_key: KEY,
  next_public_key: optional(text(44, 'key the peer moves to; accepted beside the old one')),
  preshared_key: optional(text(44, 'base64 of 32 bytes, for this pair only')),
  allowed_ips: list(PREFIX, 32),
  endpoint: optional(ENDPOINT),
  keepalive: optional(integer(0, 65_535, 'seconds')),
  status: optional(oneOf(['online', 'offline'])),
});

const PEER_REPORT: Shape = record({
  id: IDENTIFIER,
  state: oneOf(['idle', 'handshaking', 'established', 'failed']),
  reason: text(32),
  handshake_age: optional(integer(0, 1e9, 'seconds since the last handshake')),
  transport: optional(text(16)),
  transport_reason: optional(text(48)),
  rtt: optional(number(0, 1e6, 'milliseconds, as last measured')),
  loss: optional(number(0, 1, 'share of its messages that did not arrive lately, by their counters')),
  rx: optional(integer(0, Number.MAX_SAFE_INTEGER, 'bytes')),
  tx: optional(integer(0, Number.MAX_SAFE_INTEGER, 'bytes')),
});

/** The control plane as a peer of the tunnel. */
export const CONTROL_PEER: Shape = record({
  public_key: KEY,
  preshared_key: text(44, 'base64 of 32 bytes, for this gateway only'),
  endpoint: ENDPOINT,
  address: text(49, 'of this gateway towards it, /128 of a ULA prefix (RFC 4193)'),
  host: text(49, 'of the control plane, /128 of the same /64'),
  port: integer(1, 65_535, 'of HTTP and WebSocket there'),
});

/** The network as one gateway sees it. */
const NETWORK: Record<string, Shape | Field> = {
  address: optional(list(PREFIX, 4, 'addresses of this gateway inside (peer_ip)')),
  tenant_cidr: optional(list(PREFIX, 4, 'prefixes of the tenant; nothing outside is routed')),
  peers: list(PEER, 64),
};

function type(
  direction: Direction,
  seed: boolean,
  doc: string,
  data: Readonly<Record<string, Shape | Field>> = {},
  mostBytes = SMALL_MESSAGE_BYTES,
): MessageType {
  return Object.freeze({ direction, seed, doc, mostBytes, data: asFields(data) });
}

export const MESSAGE_TYPES: Readonly<Record<string, MessageType>> = Object.freeze({
  hello: type('up', false, 'First message of a session: who speaks, what it can take, where it left off.', {
    firmware: text(64),
    boot: text(32, 'random name of this start; two at once of one identity mean a copied image'),
    most_bytes: integer(1024, LARGEST_MESSAGE_BYTES, 'largest message this gateway takes'),
    epoch: optional(text(32, 'name of the history that `version` counts in')),
    version: optional(SEQUENCE),
  }),
  welcome: type('down', false, 'Answer to `hello`: the session stands; state follows if it is not current.', {
    session: IDENTIFIER,
    epoch: text(32),
    version: SEQUENCE,
    heartbeat: optional(integer(1, 300, 'seconds between heartbeats')),
    time: MILLISECONDS,
    tunnel: optional(CONTROL_PEER),
  }),
  heartbeat: type(
    'up',
    true,
    'Sign of life with measured facts only; what is absent is as before. Answered by `ack`.',
    {
      seq: SEQUENCE,
      uptime: integer(0, 1e10, 'seconds'),
      firmware: optional(text(64)),
      memory: optional(integer(0, Number.MAX_SAFE_INTEGER, 'bytes in use')),
      version: SEQUENCE,
      tunnel_key: optional(text(44, 'public key the tunnel uses now: confirms a rotation')),
      configuration: optional(SEQUENCE),
      peers: optional(list(PEER_REPORT, 64)),
      dropped: optional(integer(0, Number.MAX_SAFE_INTEGER, 'messages refused or dropped since the start')),
    },
  ),
  ack: type('down', true, 'Answers the message whose `id` it repeats; carries the server’s time.', {
    of: text(32, '`id` of the message answered'),
    time: MILLISECONDS,
    version: optional(SEQUENCE),
  }),
  ping: type('down', true, 'Asks for a heartbeat now.'),
  'ice-candidate': type('both', true, 'One ICE candidate, as in SDP; forwarded to `to`.', {
    candidate: text(512),
    sdpMid: optional(text(16)),
    sdpMLineIndex: optional(integer(0, 64)),
    session: optional(IDENTIFIER),
  }),
  'sdp-offer': type('both', true, 'Opens a signaling exchange; forwarded to `to`.', {
    sdp: text(3072),
    session: optional(IDENTIFIER),
  }),
  'sdp-answer': type('both', true, 'Answers an offer; forwarded to `to`.', {
    sdp: text(3072),
    session: optional(IDENTIFIER),
  }),
  'peer-join': type(
    'down',
    true,
    'A peer was added or changed: the network moves from `base` to `version`.',
    {
      epoch: text(32),
      base: SEQUENCE,
      version: SEQUENCE,
      peer: PEER,
    },
  ),
  'peer-leave': type('down', true, 'A peer was removed: the network moves from `base` to `version`.', {
    epoch: text(32),
    base: SEQUENCE,
    version: SEQUENCE,
    id: IDENTIFIER,
  }),
  'mesh-update': type('down', true, 'Who of the peers is online. A hint: it moves no version.', {
    mesh_id: IDENTIFIER,
    peers: list(record({ id: IDENTIFIER, status: oneOf(['online', 'offline']) }), 64),
  }),
  snapshot: type('down', false, 'The whole network in parts: `part` of `parts`, valid when all have come.', {
    epoch: text(32),
    version: SEQUENCE,
    part: integer(0, 1023),
    parts: integer(1, 1024),
    ...NETWORK,
  }),
  'snapshot-request': type('up', false, 'Asks for a snapshot: a delta did not fit.', {
    reason: oneOf(['start', 'gap', 'epoch', 'damaged']),
  }),
  endpoints: type('up', false, 'Where this gateway can be reached, best first.', {
    endpoints: list(ENDPOINT, 16),
  }),
  'relay-rebalance': type('down', true, 'Move to another relay, make before break, within `deadline`.', {
    relays: list(text(262), 8),
    deadline: integer(0, 86_400, 'seconds'),
    reason: optional(text(64)),
  }),
  'key-rotation': type('down', false, 'Make a new tunnel key and announce it with `key-offer`.', {
    rotation: IDENTIFIER,
    overlap: integer(60, 604_800, 'seconds both keys are valid'),
  }),
  'key-offer': type('up', false, 'The new tunnel public key for a rotation; the old key stays in use.', {
    rotation: IDENTIFIER,
    public_key: KEY,
  }),
  'key-switch': type(
    'down',
    false,
    'Every peer knows the new key: use it, confirm by heartbeat, or roll back.',
    {
      rotation: IDENTIFIER,
      confirm_within: integer(10, 3600, 'seconds until the gateway rolls back by itself'),
    },
  ),
  'key-result': type('up', false, 'How a rotation ended on the gateway.', {
    rotation: IDENTIFIER,
    result: oneOf(['switched', 'rolled-back', 'refused']),
    reason: optional(text(96)),
  }),
  configuration: type(
    'down',
    false,
    'New settings under commit-confirm: kept only if a heartbeat gets through.',
    {
      revision: SEQUENCE,
      confirm_within: integer(10, 3600, 'seconds'),
      settings: record({
        mtu: optional(integer(1280, 9000)),
        keepalive: optional(integer(0, 65_535, 'seconds, for every peer that names none')),
        heartbeat: optional(integer(5, 300, 'seconds')),
        metered: optional(flag('keep to the small data budget')),
        log_level: optional(oneOf(['error', 'warn', 'info', 'debug'])),
        control: optional(list(text(262), 4, 'control endpoints, in order; `tunnel`: inside the tunnel')),
      }),
    },
  ),
  'configuration-result': type('up', false, 'What became of a configuration.', {
    revision: SEQUENCE,
    result: oneOf(['applied', 'confirmed', 'reverted', 'refused']),
    reason: optional(text(96)),
  }),
  'token-refresh': type('up', false, 'Asks for a new token on the live session.'),
  token: type('down', false, 'A new token; the session goes on under it.', {
    token: text(2048),
    expires_in: integer(1, 31_536_000, 'seconds'),
  }),
  shutdown: type(
    'down',
    false,
    'Stop forwarding site traffic until told otherwise; the control session stays.',
    {
      active: flag('false takes it back'),
      reason: text(96),
    },
  ),
  quarantine: type(
    'down',
    false,
    'This identity lives twice; routes are withdrawn until an operator decides.',
    {
      reason: text(96),
    },
  ),
  error: type('both', false, 'A message was refused. Never answered itself.', {
    of: optional(text(32)),
    code: text(48),
    message: text(192),
    retry_after: optional(integer(0, 86_400, 'seconds')),
  }),
  bye: type('both', false, 'The session ends on purpose.', {
    reason: text(96),
    retry_after: optional(integer(0, 86_400, 'seconds until the gateway should come back')),
  }),
});
