import { describe, expect, it } from 'vitest';
import { parseExpose, parseForward } from '../../src/config/forwards.js';
import { readGatewaySettings } from '../../src/config/gateway-settings.js';
import { formatProblem, type Problem } from '../../src/config/problem.js';
import { formatEndpoint } from '../../src/packet/endpoint-text.js';
import { type Limits, LIMITS as TUNNEL_LIMITS } from '../../src/wireguard/limits.js';

const LIMITS = { maxPeers: 100, stagedPackets: 128 };

function said(problems: readonly Problem[]): string[] {
  return problems.map((problem) => formatProblem(problem, 'settings'));
}

describe('readGatewaySettings', () => {
  it('has defaults for everything', () => {
    expect(readGatewaySettings({}, LIMITS)).toEqual({
      settings: { mode: 'auto', logLevel: 'info', logFormat: 'human', forwards: [], exposes: [], limits: {} },
      problems: [],
    });
  });

  it('reads everything', () => {
    const { settings, problems } = readGatewaySettings(
      {
        mode: 'rootless',
        logLevel: 'debug',
        logFormat: 'json',
        forward: ['127.0.0.1:8080=10.0.0.2:80'],
        expose: ['udp:53=127.0.0.1:5353'],
        limits: { maxPeers: 5 },
      },
      LIMITS,
    );
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      mode: 'rootless',
      logLevel: 'debug',
      logFormat: 'json',
      limits: { maxPeers: 5 },
    });
    expect(settings!.forwards.length).toBe(1);
    expect(settings!.exposes.length).toBe(1);
  });

  it('knows the limits of the tunnel by their names', () => {
    const { settings } = readGatewaySettings({ limits: { handshakeQueue: 7 } }, TUNNEL_LIMITS);
    const limits: Partial<Limits> = settings!.limits;
    expect(limits).toEqual({ handshakeQueue: 7 });
  });

  it('says every mistake at once', () => {
    const { settings, problems } = readGatewaySettings(
      {
        mod: 'tun',
        mode: 'rootles',
        logLevel: 'loud',
        logFormat: 7,
        forward: 'x',
        expose: ['80'],
        limits: { maxPeer: 1, stagedPackets: -1, maxPeers: 1.5 },
      },
      LIMITS,
    );
    expect(settings).toBeUndefined();
    expect(said(problems)).toEqual([
      'settings: error: this setting is not known; did you mean mode?',
      'settings: error: mode: this value is not known; did you mean rootless?',
      'settings: error: logLevel: this value is not known; write one of error, warn, info, debug',
      'settings: error: logFormat: this value is not known; write one of human, json',
      'settings: error: forward: the value is not a list of texts; write it as in ["..."]',
      'settings: error: expose: there is no "=" between the two ends; write it as in tcp:80=127.0.0.1:8080',
      'settings: error: limits: this limit is not known; did you mean maxPeers?',
      'settings: error: limits.stagedPackets: the limit is not a whole number of 0 or more; the usual value is 128',
      'settings: error: limits.maxPeers: the limit is not a whole number of 0 or more; the usual value is 100',
    ]);
  });

  it.each([[null], [[]], ['{}'], [7], [undefined]])('refuses %j', (raw) => {
    expect(readGatewaySettings(raw, LIMITS)).toMatchObject({
      settings: undefined,
      problems: [{ severity: 'error' }],
    });
  });

  it('does not take what an object inherits for settings', () => {
    const raw = Object.create({ mode: 'minimal' });
    expect(readGatewaySettings(raw, LIMITS).settings!.mode).toBe('auto');
    const { problems } = readGatewaySettings(
      JSON.parse('{"limits":{"__proto__":1,"constructor":2}}'),
      LIMITS,
    );
    expect(problems.length).toBe(2);
  });
});

describe('parseForward', () => {
  it.each([
    ['127.0.0.1:8080=10.0.0.2:80', 'tcp', '127.0.0.1:8080', '10.0.0.2:80'],
    ['tcp:0.0.0.0:22=[fd00::2]:22', 'tcp', '0.0.0.0:22', '[fd00::2]:22'],
    ['UDP:[::1]:53=10.0.0.2:5353', 'udp', '[::1]:53', '10.0.0.2:5353'],
  ])('reads %s', (text, protocol, listen, target) => {
    const problems: Problem[] = [];
    const forward = parseForward(text, problems)!;
    expect(problems).toEqual([]);
    expect([forward.protocol, formatEndpoint(forward.listen, 0), formatEndpoint(forward.target, 0)]).toEqual([
      protocol,
      listen,
      target,
    ]);
  });

  it.each([
    ['', ['there is no "=" between the two ends']],
    ['127.0.0.1:8080', ['there is no "=" between the two ends']],
    ['sctp:127.0.0.1:1=10.0.0.2:1', ['the protocol is neither tcp nor udp']],
    ['localhost:8080=10.0.0.2:80', ['the address to listen at is not right: it is a name, not a number']],
    [
      '127.0.0.1=10.0.0.2:0',
      [
        'the address to listen at is not right: the port is missing',
        'the address in the tunnel is not right: the port is not a number of 1 to 65535',
      ],
    ],
    ['tcp:udp:127.0.0.1:1=10.0.0.2:1', ['the protocol is neither tcp nor udp']],
    [
      '127.0.0.1:1=10.0.0.2:1=3',
      ['the address in the tunnel is not right: the port is not a number of 1 to 65535'],
    ],
    ['8080=10.0.0.2:80', ['the address to listen at is not right: the port is missing']],
  ])('refuses %j', (text, messages) => {
    const problems: Problem[] = [];
    expect(parseForward(text, problems)).toBeUndefined();
    expect(problems.map(({ message }) => message)).toEqual(messages);
    for (const problem of problems) {
      expect(problem).toMatchObject({
        severity: 'error',
        key: 'forward',
        remedy: 'write it as in tcp:127.0.0.1:8080=10.0.0.2:80',
      });
    }
  });
});

describe('parseExpose', () => {
  it.each([
    ['80=127.0.0.1:8080', 'tcp', 80, '127.0.0.1:8080'],
    ['udp:53=[::1]:5353', 'udp', 53, '[::1]:5353'],
  ])('reads %s', (text, protocol, port, target) => {
    const problems: Problem[] = [];
    const expose = parseExpose(text, problems)!;
    expect(problems).toEqual([]);
    expect([expose.protocol, expose.port, formatEndpoint(expose.target, 0)]).toEqual([
      protocol,
      port,
      target,
    ]);
  });

  it.each([
    ['80', ['there is no "=" between the two ends']],
    [
      '0=example.net:80',
      [
        'what stands before "=" is not a port of the gateway, a number of 1 to 65535',
        'the address outside is not right: it is a name, not a number',
      ],
    ],
    [
      '10.0.0.1:80=127.0.0.1:80',
      ['what stands before "=" is not a port of the gateway, a number of 1 to 65535'],
    ],
    ['80=127.0.0.1', ['the address outside is not right: the port is missing']],
  ])('refuses %j', (text, messages) => {
    const problems: Problem[] = [];
    expect(parseExpose(text, problems)).toBeUndefined();
    expect(problems.map(({ message }) => message)).toEqual(messages);
    for (const problem of problems) {
      expect(problem).toMatchObject({ key: 'expose', remedy: 'write it as in tcp:80=127.0.0.1:8080' });
    }
  });
});
