import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToHex } from '../../src/crypto/key-text.js';
import { PortablePrimitives } from '../../src/crypto/portable.js';
import { formatPrefix } from '../../src/packet/address.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import { Device } from '../../src/wireguard/device.js';
import { TimestampSource } from '../../src/wireguard/tai64n.js';
import { UAPI_LINE_LIMIT, UapiSession } from '../../src/wireguard/uapi.js';
import { UAPI_PORT_IN_USE } from '../../src/wireguard/uapi-errno.js';
import type { UapiHost } from '../../src/wireguard/uapi-host.js';

const OWN = `${'a0'.repeat(31)}40`;
const PEER = bytesToHex(new Uint8Array(32).fill(7));
const OTHER = bytesToHex(new Uint8Array(32).fill(8));
const NONE = '0'.repeat(64);

/** A device and one session on it; `say` pushes text and returns what was answered. */
function setUp(overrides: Partial<UapiHost> = {}) {
  let now = 1_000;
  const clock = { monotonic: () => now, wall: () => 1_700_000_000_000 + now };
  const values = new Map<string, Uint8Array>();
  const store = {
    get: (name: string) => values.get(name),
    set: (name: string, value: Uint8Array) => void values.set(name, value),
    delete: (name: string) => void values.delete(name),
  };
  let seed = 1;
  const primitives = new PortablePrimitives((out) => {
    for (let i = 0; i < out.length; i++) out[i] = seed = (seed * 5 + 1) & 0xff;
  });
  const device = new Device({ primitives, clock, timestamps: new TimestampSource(clock, store) });
  const refused: [string, number][] = [];
  const host = {
    listenPort: 51820,
    fwmark: 0,
    setListenPort(port: number, done: (errno: number) => void) {
      host.listenPort = port === 0 ? 40_000 : port;
      done(0);
    },
    setFwmark(mark: number, done: (errno: number) => void) {
      host.fwmark = mark;
      done(0);
    },
    refused: (key: string, errno: number) => void refused.push([key, errno]),
    ...overrides,
  };
  let answered = '';
  let ended = false;
  const session = new UapiSession(device, host, {
    write: (text) => {
      answered += text;
    },
    end: () => {
      ended = true;
    },
  });
  const take = () => {
    const text = answered;
    answered = '';
    return text;
  };
  const say = (text: string) => {
    session.push(Buffer.from(text, 'latin1'));
    return take();
  };
  const peer = (hex: string) => device.peer(Buffer.from(hex, 'hex'));
  const allowed = (hex: string) => device.allowedIps.entries(peer(hex)!).map(formatPrefix).sort();
  return {
    device,
    host,
    session,
    say,
    take,
    refused,
    peer,
    allowed,
    ended: () => ended,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

const errno = (answer: string) => Number(/errno=(-?\d+)\n\n$/.exec(answer)?.[1]);

describe('get=1', () => {
  it('tells the routes to settle before it says that they are set', () => {
    const { device, take, say } = setUp();
    const answers: string[] = [];
    device.allowedIps.onSettle = () => answers.push(take());
    expect(say(`set=1\npublic_key=${PEER}\nallowed_ip=192.0.2.0/24\n\n`)).toBe('errno=0\n\n');
    expect(answers).toEqual(['']);
  });

  it('answers an empty device with its port alone', () => {
    expect(setUp().say('get=1\n\n')).toBe('listen_port=51820\nerrno=0\n\n');
  });

  it('answers device and peers in the order of the protocol', () => {
    const { say } = setUp();
    say(
      `set=1\nprivate_key=${OWN}\nfwmark=51820\npublic_key=${PEER}\npreshared_key=${OTHER}\nendpoint=[2001:db8::1]:51820\npersistent_keepalive_interval=25\nallowed_ip=10.0.0.1/24\nallowed_ip=fd00::/8\n\n`,
    );
    const lines = say('get=1\n\n').split('\n');
    expect(lines.slice(0, 7)).toEqual([
      `private_key=${OWN}`,
      'listen_port=51820',
      'fwmark=51820',
      `public_key=${PEER}`,
      `preshared_key=${OTHER}`,
      'protocol_version=1',
      'endpoint=[2001:db8::1]:51820',
    ]);
    expect(lines.slice(7, 9)).toEqual(['last_handshake_time_sec=0', 'last_handshake_time_nsec=0']);
    expect(lines[9]).toMatch(/^tx_bytes=\d+$/);
    // The host bits are masked away.
    expect(lines.slice(10)).toEqual([
      'rx_bytes=0',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.0/24',
      'allowed_ip=fd00::/8',
      'errno=0',
      '',
      '',
    ]);
  });

  it('writes no preshared key as zeros and leaves out an endpoint that is not known', () => {
    const { say } = setUp();
    const answer = say(`set=1\npublic_key=${PEER}\n\nget=1\n\n`);
    expect(answer).toContain(`preshared_key=${NONE}\nprotocol_version=1\nlast_handshake_time_sec=0\n`);
  });

  it('tells time and bytes of the last handshake', () => {
    const { say, peer } = setUp();
    say(`set=1\npublic_key=${PEER}\n\n`);
    peer(PEER)!.lastHandshakeWall = 1_700_000_000_123;
    peer(PEER)!.rxBytes = 2 ** 40;
    expect(say('get=1\n\n')).toContain(
      'last_handshake_time_sec=1700000000\nlast_handshake_time_nsec=123000000\ntx_bytes=0\nrx_bytes=1099511627776\n',
    );
  });

  it('refuses anything between the question and the empty line', () => {
    expect(errno(setUp().say('get=1\nset=1\n\n'))).toBe(-22);
  });
});

describe('set=1', () => {
  it('sets and removes the private key', () => {
    const { say, device } = setUp();
    expect(say(`set=1\nprivate_key=${OWN}\n\n`)).toBe('errno=0\n\n');
    expect(bytesToHex(device.privateKey!)).toBe(OWN);
    say(`set=1\nprivate_key=${NONE}\n\n`);
    expect(device.privateKey).toBeUndefined();
  });

  it('moves the port, 0 taking any', () => {
    const { say, host } = setUp();
    say('set=1\nlisten_port=1234\n\n');
    expect(host.listenPort).toBe(1234);
    say('set=1\nlisten_port=0\n\n');
    expect(host.listenPort).toBe(40_000);
  });

  it('reports a taken port, keeps the lines before and skips those behind', () => {
    const { say, peer, device } = setUp({ setListenPort: (_, done) => done(UAPI_PORT_IN_USE) });
    expect(say(`set=1\nprivate_key=${OWN}\nlisten_port=53\npublic_key=${PEER}\n\n`)).toBe('errno=-98\n\n');
    expect(bytesToHex(device.privateKey!)).toBe(OWN);
    expect(peer(PEER)).toBeUndefined();
  });

  it('waits for a host that answers later, in order', () => {
    let finish: ((errno: number) => void) | undefined;
    const { session, say, take, peer } = setUp({
      setListenPort: (_, done) => {
        finish = done;
      },
    });
    let ready = 0;
    session.onReady = () => {
      ready++;
    };
    expect(session.push(Buffer.from(`set=1\nlisten_port=1\npublic_key=${PEER}\n`))).toBe(false);
    expect(session.push(Buffer.from('\nget=1\n\n'))).toBe(false);
    expect([take(), peer(PEER), ready]).toEqual(['', undefined, 0]);
    finish?.(0);
    expect(ready).toBe(1);
    expect(take()).toMatch(/^errno=0\n\nlisten_port=51820\npublic_key=/);
    expect(say('get=1\n\n')).toContain(PEER);
  });

  it('replaces peers', () => {
    const { say, peer } = setUp();
    say(`set=1\npublic_key=${PEER}\n\n`);
    say(`set=1\nreplace_peers=true\npublic_key=${OTHER}\n\n`);
    expect([peer(PEER), peer(OTHER) !== undefined]).toEqual([undefined, true]);
  });

  it('removes a peer, also one that never was', () => {
    const { say, peer } = setUp();
    say(`set=1\npublic_key=${PEER}\n\n`);
    expect(say(`set=1\npublic_key=${PEER}\nremove=true\npublic_key=${OTHER}\nremove=true\n\n`)).toBe(
      'errno=0\n\n',
    );
    expect([peer(PEER), peer(OTHER)]).toEqual([undefined, undefined]);
  });

  it('changes only known peers after update_only', () => {
    const { say, peer } = setUp();
    say(`set=1\npublic_key=${PEER}\n\n`);
    say(
      `set=1\npublic_key=${PEER}\nupdate_only=true\npersistent_keepalive_interval=9\npublic_key=${OTHER}\nupdate_only=true\npersistent_keepalive_interval=9\n\n`,
    );
    expect([peer(PEER)?.persistentKeepalive, peer(OTHER)]).toEqual([9, undefined]);
  });

  it('accepts its own key as a peer and ignores it', () => {
    const { say, device } = setUp();
    say(`set=1\nprivate_key=${OWN}\n\n`);
    const own = bytesToHex(device.publicKey!);
    expect(say(`set=1\npublic_key=${own}\nendpoint=192.0.2.1:1\nallowed_ip=10.0.0.0/8\n\n`)).toBe(
      'errno=0\n\n',
    );
    expect(device.peerCount).toBe(0);
  });

  it('does not count the same private key as a change', () => {
    const { say, device } = setUp();
    say(`set=1\nprivate_key=${OWN}\n\n`);
    const before = device.privateKey;
    say(`set=1\nprivate_key=${OWN}\n\n`);
    expect(device.privateKey).toBe(before);
  });

  it('adds, moves, takes away and replaces allowed IPs', () => {
    const { say, allowed } = setUp();
    say(`set=1\npublic_key=${PEER}\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n\n`);
    say(`set=1\npublic_key=${OTHER}\nallowed_ip=10.0.0.0/8\n\n`);
    expect([allowed(PEER), allowed(OTHER)]).toEqual([['fd00::/8'], ['10.0.0.0/8']]);
    say(
      `set=1\npublic_key=${OTHER}\nallowed_ip=-10.0.0.0/8\nallowed_ip=-192.0.2.0/24\nallowed_ip=0.0.0.0/0\n\n`,
    );
    expect(allowed(OTHER)).toEqual(['0.0.0.0/0']);
    say(`set=1\npublic_key=${OTHER}\nreplace_allowed_ips=true\nallowed_ip=192.0.2.7/32\n\n`);
    expect(allowed(OTHER)).toEqual(['192.0.2.7/32']);
  });

  it('does not take a prefix away from another peer by "-"', () => {
    const { say, allowed } = setUp();
    say(`set=1\npublic_key=${PEER}\nallowed_ip=10.0.0.0/8\npublic_key=${OTHER}\nallowed_ip=-10.0.0.0/8\n\n`);
    expect(allowed(PEER)).toEqual(['10.0.0.0/8']);
  });

  it('sends one message at once when a keepalive is turned on, wherever the endpoint stands', () => {
    for (const lines of [
      'endpoint=192.0.2.1:9\npersistent_keepalive_interval=25\n',
      'persistent_keepalive_interval=25\nendpoint=192.0.2.1:9\n',
    ]) {
      const { say, device } = setUp();
      say(`set=1\nprivate_key=${OWN}\npublic_key=${PEER}\n${lines}\n`);
      expect(device.counters.initiationsSent).toBe(1);
      expect(formatEndpoint(device.outbox.endpoints, 0)).toBe('192.0.2.1:9');
      say(`set=1\npublic_key=${PEER}\npersistent_keepalive_interval=26\n\n`);
      expect(device.counters.initiationsSent).toBe(1);
    }
  });

  it.each([
    ['an unknown device key', 'colour=red', -22],
    ['a peer key without a peer', 'allowed_ip=10.0.0.0/8', -22],
    ['a short key', 'private_key=00', -22],
    ['a key with a foreign letter', `private_key=${'0'.repeat(63)}g`, -22],
    ['a port beyond 65535', 'listen_port=65536', -22],
    ['a mark beyond 32 bits', 'fwmark=4294967296', -22],
    ['a negative number', 'fwmark=-1', -22],
    ['replace_peers without true', 'replace_peers=false', -22],
    ['an unknown peer key', `public_key=${PEER}\nmood=good`, -22],
    ['a device key behind a peer', `public_key=${PEER}\nlisten_port=1`, -22],
    ['an endpoint by name', `public_key=${PEER}\nendpoint=example.net:1`, -22],
    ['an endpoint without a port', `public_key=${PEER}\nendpoint=192.0.2.1`, -22],
    ['a prefix that is too long', `public_key=${PEER}\nallowed_ip=10.0.0.0/33`, -22],
    ['another version', `public_key=${PEER}\nprotocol_version=2`, -22],
    ['a line without "="', 'private_key', -71],
    ['a line without a key', '=1', -71],
    ['bytes that are no text', 'private_key=\xff\x00', -71],
    ['an endless line', `private_key=${'0'.repeat(UAPI_LINE_LIMIT)}`, -71],
  ])('refuses %s', (_, lines, expected) => {
    const { say, refused } = setUp();
    expect(errno(say(`set=1\n${lines}\n\n`))).toBe(expected);
    expect(refused).toHaveLength(1);
    // The connection stays in step: the next operation is understood.
    expect(errno(say('get=1\n\n'))).toBe(0);
  });

  it('never tells a refused value, only its key', () => {
    const { say, refused } = setUp();
    const almost = `${OWN.slice(0, 62)}xx`;
    const answer = say(`set=1\nprivate_key=${almost}\n\n`);
    expect(answer).toBe('errno=-22\n\n');
    expect(refused).toEqual([['private_key', -22]]);
  });

  it('says when there is no room for another peer', () => {
    const { say, device } = setUp();
    const full = device.limits.maxPeers;
    Object.assign(device.limits, { maxPeers: 1 });
    expect(errno(say(`set=1\npublic_key=${PEER}\npublic_key=${OTHER}\n\n`))).toBe(-28);
    expect(device.peerCount).toBe(1);
    Object.assign(device.limits, { maxPeers: full });
  });
});

describe('a session', () => {
  it('takes operations in any cut', () => {
    const text = `set=1\nprivate_key=${OWN}\npublic_key=${PEER}\nallowed_ip=10.0.0.0/8\n\nget=1\n\n`;
    const whole = setUp().say(text);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const { session, take } = setUp();
        for (let at = 0, i = 0; at < text.length; i++) {
          const size = sizes[i % sizes.length];
          session.push(Buffer.from(text.slice(at, at + size)));
          at += size;
        }
        expect(take()).toBe(whole);
      }),
      { numRuns: 50 },
    );
  });

  it('ends on an operation that it does not know, and says nothing', () => {
    const { say, ended } = setUp();
    expect(say('GET / HTTP/1.1\n')).toBe('');
    expect(ended()).toBe(true);
    expect(say('get=1\n\n')).toBe('');
  });

  it('answers what the host adds, once the operation is complete', () => {
    const { say } = setUp({
      knows: (operation) => operation === 'status=1',
      answer: (_, reply) => reply('{"fine":true}\n', 0),
    });
    expect(say('status=1\n')).toBe('');
    expect(say('\n')).toBe('{"fine":true}\nerrno=0\n\n');
  });

  it('withstands hostile text: no exception, and no answer but lines of the protocol', () => {
    const word = fc.constantFrom(
      ...['set=1\n', 'get=1\n', '\n', `public_key=${PEER}\n`, `public_key=${OTHER}\n`, 'remove=true\n'],
      ...['allowed_ip=', '10.0.0.0/8', '::/0', '-', '\n', 'endpoint=', '[::1]:1\n', '\0', '=', 'true\n'],
      ...['replace_peers=true\n', 'update_only=true\n', 'persistent_keepalive_interval=7\n', 'x'.repeat(300)],
    );
    const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(fc.array(fc.oneof(word, noise), { maxLength: 60 }), (parts) => {
        const { say, device } = setUp();
        say(`set=1\nprivate_key=${OWN}\n\n`);
        const answer = say(parts.join(''));
        expect(device.peerCount).toBeLessThanOrEqual(60);
        for (const line of answer.split('\n')) {
          expect(line).toMatch(/^(|errno=-?\d+|[a-z_]+=[0-9a-f:./[\]]*)$/);
        }
      }),
      { numRuns: 300 },
    );
  });
});
