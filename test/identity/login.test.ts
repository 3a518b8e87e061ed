import { describe, expect, it } from 'vitest';
import { keyFromBase64, keyToBase64 } from '../../src/crypto/key-text.js';
import { generate } from '../../src/identity/keys.js';
import { audienceOf, Login } from '../../src/identity/login.js';
import { type ProofInput, prove } from '../../src/identity/proof.js';
import type { HttpAnswer, HttpClient } from '../../src/ports.js';
import { ENROLMENT } from '../control/virtual-control.js';
import { nodePrimitives, portablePrimitives, Seed, VirtualClock } from '../wireguard/virtual/world.js';

const primitives = nodePrimitives();

describe('the proof of the identity key', () => {
  const device = generate(primitives);
  const server = generate(primitives);
  const input: ProofInput = {
    challenge: new Uint8Array(32).fill(7),
    serverKey: server.publicKey,
    identityKey: device.publicKey,
    audience: 'control.example',
    gateway: 'gw-1',
  };

  it('is the same computed by both ends, and by either implementation', () => {
    const proof = prove(primitives, device.privateKey, server.publicKey, input);
    expect(prove(primitives, server.privateKey, device.publicKey, input)).toEqual(proof);
    expect(prove(portablePrimitives(new Seed(1)), device.privateKey, server.publicKey, input)).toEqual(proof);
  });

  it('is of no use for another challenge, server, audience, gateway or key', () => {
    const proof = prove(primitives, device.privateKey, server.publicKey, input);
    const other = generate(primitives);
    const others: Partial<ProofInput>[] = [
      { challenge: new Uint8Array(32).fill(8) },
      { serverKey: other.publicKey },
      { identityKey: other.publicKey },
      { audience: 'other.example' },
      { gateway: 'gw-2' },
      { audience: 'control.exampleg', gateway: 'w-1' },
    ];
    for (const change of others) {
      expect(prove(primitives, device.privateKey, server.publicKey, { ...input, ...change })).not.toEqual(
        proof,
      );
    }
    expect(prove(primitives, other.privateKey, server.publicKey, input)).not.toEqual(proof);
  });

  it('is not made for a key of low order', () => {
    expect(prove(primitives, device.privateKey, new Uint8Array(32), input)).toBeUndefined();
  });
});

describe('login', () => {
  const identity = generate(primitives);

  function setUp(answers: (path: string, body: Record<string, string>) => Partial<HttpAnswer>) {
    const clock = new VirtualClock();
    const http: HttpClient = {
      post: (url, body, _token, done) => {
        const path = url.slice(ENROLMENT.control.length);
        done({ status: 200, body: '', error: undefined, retryAfter: 0, ...answers(path, JSON.parse(body)) });
      },
    };
    const login = new Login(primitives, clock, http, ENROLMENT, identity);
    let error: string | undefined = 'never called';
    const renew = () => {
      login.renew((reason) => {
        error = reason;
      });
      return error;
    };
    return { clock, login, renew };
  }

  it('answers the challenge, and asks for another token at four fifths of its life', () => {
    const ephemeral = generate(primitives);
    const challenge = new Uint8Array(32).fill(3);
    const { clock, login, renew } = setUp((path, body) => {
      if (path === '/api/v1/login/challenge') {
        const server_key = keyToBase64(ephemeral.publicKey);
        return { body: JSON.stringify({ challenge: keyToBase64(challenge), server_key, ticket: 't' }) };
      }
      const expected = prove(primitives, ephemeral.privateKey, identity.publicKey, {
        challenge,
        serverKey: ephemeral.publicKey,
        identityKey: identity.publicKey,
        audience: audienceOf(ENROLMENT.control),
        gateway: 'gw-1',
      });
      expect(keyFromBase64(body.proof)).toEqual(expected);
      expect(body.ticket).toBe('t');
      return { body: '{"token":"jwt","expires_in":1000}' };
    });
    expect(login.token()).toBeUndefined();
    expect(renew()).toBeUndefined();
    expect(login.token()).toBe('jwt');
    expect(login.refreshAt()).toBe(clock.monotonic() + 800_000);
    clock.set(clock.monotonic() + 1_000_000);
    expect(login.token()).toBeUndefined();
  });

  it.each([
    ['an outage', { status: 0, error: 'refused' }, 'refused'],
    ['an error', { status: 500 }, '500'],
    ['no JSON', { body: '<html>' }, 'not JSON'],
    ['no object', { body: 'null' }, 'not JSON'],
    ['no challenge', { body: '{}' }, 'no sense'],
    [
      'a key of low order',
      {
        body: JSON.stringify({
          challenge: keyToBase64(new Uint8Array(32)),
          server_key: keyToBase64(new Uint8Array(32)),
          ticket: 't',
        }),
      },
      'no real one',
    ],
  ])('says what is wrong: %s', (_, answer, reason) => {
    const { login, renew } = setUp(() => answer);
    expect(renew()).toContain(reason);
    expect(login.token()).toBeUndefined();
  });
});
