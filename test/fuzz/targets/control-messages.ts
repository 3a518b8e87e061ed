import { readEnvelope } from '../../../src/control/envelope.js';
import { MESSAGE_TYPES } from '../../../src/control/messages.js';
import { type AgentWorld, startAgent } from '../../control/virtual-control.js';
import { MemoryStore } from '../../wireguard/virtual/world.js';
import { ascii, demand, latin1, type Target } from '../target.js';

const KEYS = ['A', 'B', 'C'].map((letter) => letter.repeat(42).concat('A='));
const PEER = `{"id":"p1","public_key":"${KEYS[0]}","allowed_ips":["10.8.0.2/32"],"endpoint":"192.0.2.1:1"}`;
const NETWORK = '"address":["10.8.0.1/32"],"tenant_cidr":["10.8.0.0/24"]';

/** A living gateway's control end, told whatever a broken or lying server may say. */
export class ControlMessages implements Target {
  readonly name = 'control-messages';
  readonly weight = 10;
  readonly samples = [
    `{"type":"snapshot","data":{"epoch":"e","version":5,"part":0,"parts":1,${NETWORK},"peers":[${PEER}]}}`,
    `{"type":"peer-join","data":{"epoch":"e","base":5,"version":6,"peer":${PEER}}}`,
    '{"type":"peer-leave","data":{"epoch":"e","base":6,"version":7,"id":"p1"}}',
    '{"type":"mesh-update","data":{"mesh_id":"m","peers":[{"id":"p1","status":"online"}]}}',
    '{"type":"key-rotation","data":{"rotation":"r","overlap":60}}',
    '{"type":"key-switch","data":{"rotation":"r","confirm_within":10}}',
    '{"type":"configuration","data":{"revision":1,"confirm_within":10,"settings":{"mtu":1300,"heartbeat":30}}}',
    '{"type":"configuration","data":{"revision":2,"confirm_within":10,"settings":{"control":["wss://x/ws"]}}}',
    '{"type":"ack","data":{"of":"h1","time":1}}',
    '{"type":"shutdown","data":{"active":true,"reason":"x"}}',
    '{"type":"shutdown","data":{"active":false,"reason":"x"}}',
    '{"type":"quarantine","data":{"reason":"x"}}',
    '{"type":"token","data":{"token":"t","expires_in":60}}',
    '{"type":"bye","data":{"reason":"x","retry_after":1}}',
    '{"type":"ping"}',
  ].map(ascii);
  readonly words = [
    ...Object.keys(MESSAGE_TYPES),
    '":',
    '1e9',
    '-1',
    'null',
    '[]',
    '{}',
    '0.0.0.0/0',
    ...KEYS,
  ].map(ascii);
  readonly #world: AgentWorld = startAgent(new MemoryStore());
  #understood = 0;
  #refused = 0;
  #reconnected = 0;

  run(message: Uint8Array): void {
    const { agent, server, run } = this.#world;
    if (agent.session.state !== 'live') {
      run(700_000);
      this.#reconnected++;
      demand(agent.session.healthy, 'the session does not come back');
    }
    const text = latin1(message);
    const { refused } = agent.session.counters;
    const read = readEnvelope(text, 'down', 4096);
    server.sayText(text);
    run(50);
    if (read.ok) this.#understood++;
    else if (read.refusal !== 'unknown-type') {
      this.#refused++;
      demand(agent.session.counters.refused > refused, 'a refusal that is not counted');
    }
    for (const peer of agent.network.peers.values()) {
      for (const prefix of peer.allowedIps)
        demand(inside(prefix, agent.network.tenantCidr), 'a peer beyond the tenant');
    }
    demand(agent.rotation.keys.using.publicKey.length === 32, 'no key to use');
  }

  finish(): Readonly<Record<string, number>> {
    const { agent, run } = this.#world;
    run(1_000_000);
    demand(agent.session.healthy, 'no heartbeat is acknowledged any more');
    demand(!agent.configuration.onTrial, 'a trial without end');
    return { understood: this.#understood, refused: this.#refused, reconnected: this.#reconnected };
  }
}

/** By text, apart from the code under test: the samples' tenant is a /24. */
function inside(prefix: string, tenant: readonly string[]): boolean {
  return tenant.length !== 1 || tenant[0] !== '10.8.0.0/24' || prefix.startsWith('10.8.0.');
}
