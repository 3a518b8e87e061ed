import { describe, expect, it } from 'vitest';
import { Enroller, type EnrolmentResult, parseClaim } from '../../src/identity/enrolment.js';
import { DeviceKeys } from '../../src/identity/keys.js';
import { SealedStore } from '../../src/identity/sealed-store.js';
import type { HttpAnswer, HttpClient } from '../../src/ports.js';
import { Flash, PowerCut, untilPowered, walkPowerCuts } from '../control/power.js';
import { nodePrimitives, Seed } from '../wireguard/virtual/world.js';

const DEVICE = { hostname: 'board', os: 'test', arch: 'none', version: '0' };
const CLAIM = { control: 'https://control.example', token: 'a-claim-of-one-use' };

/** Counts uses by the name of the request, as the real server does. */
class ClaimServer implements HttpClient {
  readonly requests = new Map<string, Record<string, unknown>>();
  uses = 1;
  /** The fate of each answer; the default is that it arrives. */
  fate: () => 'arrives' | 'lost' | 'power-cut' = () => 'arrives';
  answer: Partial<HttpAnswer> | undefined;

  post(_url: string, body: string, _token: string | undefined, done: (answer: HttpAnswer) => void): void {
    const request = JSON.parse(body) as { request: string; public_key: string; identity_key: string };
    const known = this.requests.get(request.request);
    if (!known && this.uses === 0) {
      done({ status: 410, body: '{"message":"used up"}', error: undefined, retryAfter: 0 });
      return;
    }
    if (!known) {
      this.uses--;
      this.requests.set(request.request, request);
    } else expect(request).toEqual(known);
    const fate = this.fate();
    if (fate === 'power-cut') throw new PowerCut();
    if (fate === 'lost') done({ status: 0, body: '', error: 'connection lost', retryAfter: 0 });
    else done({ status: 200, body: this.#body(), error: undefined, retryAfter: 0, ...this.answer });
  }

  #body(): string {
    return JSON.stringify({
      device_id: 'gw-1',
      tenant_id: 'acme',
      endpoints: [{ kind: 'websocket', url: 'wss://control.example/ws' }],
      peer_ip: ['10.8.0.1/32'],
      tenant_cidr: ['10.8.0.0/24'],
      time: 1,
    });
  }
}

function enroller(flash: Flash, http: HttpClient): Enroller {
  const primitives = nodePrimitives();
  const keys = new DeviceKeys(primitives, flash);
  return new Enroller(primitives, new SealedStore(primitives, flash, keys.identity.privateKey), keys, http);
}

function redeem(flash: Flash, http: HttpClient, claim = CLAIM): EnrolmentResult {
  let result: EnrolmentResult | undefined;
  enroller(flash, http).redeem(claim, DEVICE, (ended) => {
    result = ended;
  });
  return result!;
}

describe('enrolment', () => {
  it('takes an invite URL or a bare token, and nothing else', () => {
    const url = 'https://control.example:8443/join?tenant_id=x&token=abc-DEF_1.~';
    expect(parseClaim(` ${url}\n`)).toEqual({
      control: 'https://control.example:8443',
      token: 'abc-DEF_1.~',
    });
    expect(parseClaim('abcdefgh', 'https://c.example/')).toEqual({
      control: 'https://c.example',
      token: 'abcdefgh',
    });
    for (const text of [
      '',
      'abc',
      'abcdefgh',
      'ftp://c/?token=abcdefgh',
      'https://c/join',
      'a b c d e f g h',
    ]) {
      expect(parseClaim(text)).toBeUndefined();
    }
    expect(parseClaim('abcdefgh', 'https://c.example/path')).toBeUndefined();
  });

  it('uses a claim once through a hundred lost answers and power cuts', () => {
    const random = new Seed(100);
    const flash = new Flash();
    const server = new ClaimServer();
    let left = 100;
    server.fate = () => (left-- <= 0 ? 'arrives' : random.below(2) === 0 ? 'lost' : 'power-cut');
    let result: EnrolmentResult | undefined;
    while (!result?.ok) result = untilPowered(() => redeem(flash, server));
    expect(server.uses).toBe(0);
    expect(server.requests.size).toBe(1);
    expect(enroller(flash, server).interrupted).toBeUndefined();
  });

  it('comes back from a power cut at every write', () => {
    const cases = walkPowerCuts((flash) => {
      const server = new ClaimServer();
      untilPowered(() => {
        const one = enroller(flash, server);
        // A start with an identity needs no claim; one that was interrupted knows which it was.
        if (one.enrolment === undefined) redeem(flash, server, one.interrupted ?? CLAIM);
      });
      expect(enroller(flash, server).enrolment?.gateway).toBe('gw-1');
      expect(server.requests.size).toBe(1);
      expect(server.uses).toBe(0);
    });
    expect(cases).toBe(10);
  });

  it('tells a refusal, which is final, from an outage, which is not', () => {
    const server = new ClaimServer();
    server.uses = 0;
    const flash = new Flash();
    expect(redeem(flash, server)).toMatchObject({
      ok: false,
      final: true,
      reason: 'the claim was refused: used up',
    });
    expect(enroller(flash, server).interrupted).toBeUndefined();
    server.uses = 1;
    server.answer = { status: 503, retryAfter: 5000 };
    expect(redeem(flash, server)).toMatchObject({ ok: false, final: false, retryAfter: 5000 });
    expect(enroller(flash, server).interrupted).toEqual(CLAIM);
    for (const body of ['', '{}', '[]', 'null', '{"device_id":"","tenant_id":"a"}', '<html>']) {
      server.answer = { status: 200, body };
      expect(redeem(flash, server)).toMatchObject({ ok: false, final: false });
    }
    expect(enroller(flash, server).enrolment).toBeUndefined();
  });

  it('never sends a private key', () => {
    const flash = new Flash();
    const server = new ClaimServer();
    redeem(flash, server);
    const sent = JSON.stringify([...server.requests.values()]);
    for (const name of ['identity.key', 'tunnel.key']) {
      expect(sent).not.toContain(Buffer.from(flash.values.get(name)!).toString('base64'));
      expect(sent).not.toContain(Buffer.from(flash.values.get(name)!).toString('hex'));
    }
  });

  it('forgets a record that was copied from another device', () => {
    const [mine, stolen] = [new Flash(), new Flash()];
    redeem(mine, new ClaimServer());
    stolen.values.set('enrolment', mine.values.get('enrolment')!);
    expect(enroller(stolen, new ClaimServer()).enrolment).toBeUndefined();
    expect(enroller(mine, new ClaimServer()).enrolment?.tenant).toBe('acme');
  });
});
