import { describe, expect, it } from 'vitest';
import { parseWgQuick } from '../../src/config/wg-quick.js';
import { formatWgQuick } from '../../src/config/wg-quick-text.js';

const KEY = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';
const PEER = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';

function parse(own: readonly string[], peer: readonly string[] = []) {
  const text = [
    '[Interface]',
    `PrivateKey = ${KEY}`,
    'Address = 10.0.0.1/24',
    ...own,
    '[Peer]',
    `PublicKey = ${PEER}`,
    'AllowedIPs = 10.0.0.2/32',
    'Endpoint = 192.0.2.1:51820',
    ...peer,
  ].join('\n');
  return { text, ...parseWgQuick(text) };
}

const RELAY = ['#@ Relay = https://relay.example', '#@ RelayToken = /etc/wireguard/relay.token'];

describe('settings behind #@', () => {
  it('are read, all of them', () => {
    const { config, problems } = parse(
      [
        '#@ Relay = https://relay.example',
        '  #@Relay=https://[2001:db8::1]:8443/cb # the other one',
        '#@ RelayToken = /etc/wireguard/relay.token',
        '#@ RelayCa = /etc/wireguard/ca.pem',
        `#@ RelayPin = sha256/${'A'.repeat(43)}=, sha256/${'B'.repeat(43)}=`,
        '#@ Proxy = http://proxy.corp:3128',
        '#@ ProxyCredentials = /etc/wireguard/proxy.user',
        '#@ DecisionTable = /etc/wireguard/table',
        '#@ Metered = true',
        '#@ PathOptions = dwell=10000, gain=0.2',
      ],
      [
        '#@ Transports = masque, udp',
        '#@ Scenario = corporate',
        '#@ RelayName = site-b',
        '#@ RelayFirst = true',
      ],
    );
    expect(problems).toEqual([]);
    expect(config?.interface.reach).toEqual({
      relays: ['https://relay.example', 'https://[2001:db8::1]:8443/cb'],
      tokenFile: '/etc/wireguard/relay.token',
      caFile: '/etc/wireguard/ca.pem',
      pins: [`sha256/${'A'.repeat(43)}=`, `sha256/${'B'.repeat(43)}=`],
      proxy: { host: 'proxy.corp', port: 3128 },
      credentialsFile: '/etc/wireguard/proxy.user',
      tableFile: '/etc/wireguard/table',
      metered: true,
      pathOptions: [
        ['dwell', 10_000],
        ['gain', 0.2],
      ],
    });
    expect(config?.peers[0].reach).toEqual({
      transports: ['masque', 'udp'],
      scenario: 'corporate',
      relayName: 'site-b',
      relayFirst: true,
    });
    // Written and read again, it is the same.
    const again = parseWgQuick(formatWgQuick(config!)).config;
    expect(again?.interface.reach).toEqual(config?.interface.reach);
    expect(again?.peers[0].reach).toEqual(config?.peers[0].reach);
  });

  it('are comments to stock tools: nothing of them is left outside of comments', () => {
    const { text } = parse(RELAY, ['#@ Transports = udp']);
    const stock = text.replace(/#.*/g, '');
    expect(stock).not.toMatch(/relay|transports/i);
    expect(parseWgQuick(stock).problems).toEqual([]);
  });

  it.each([
    [['#@ Relay = http://relay.example'], [], 4, 'this is no address of a relay'],
    [['#@ Relay = https://user:secret@relay.example'], [], 4, 'this is no address of a relay'],
    [['#@ Relai = https://relay.example'], [], 4, 'this setting behind "#@" is not known'],
    [['#@ Relay https://relay.example'], [], 4, 'neither a section'],
    [['#@ Relay = https://relay.example'], [], 4, 'relays ask for a token'],
    [['#@ RelayToken = relay.token'], [], 4, 'this is no absolute path'],
    [[...RELAY, '#@ Proxy = http://user:secret@proxy:3128'], [], 6, 'this is no address of an HTTP proxy'],
    [[...RELAY, '#@ RelayPin = sha256/short'], [], 6, 'this is no pin'],
    [[...RELAY, '#@ Metered = perhaps'], [], 6, 'neither "true" nor "false"'],
    [[...RELAY, '#@ PathOptions = dwell'], [], 6, 'this is no option with its value'],
    [[...RELAY, '#@ Transports = udp'], [], 6, 'the setting belongs into [Peer]'],
    [RELAY, ['#@ Transports = udp, carrier-pigeon'], 10, 'the transport is not known'],
    [RELAY, ['#@ Transports = udp, udp'], 10, 'the transport is named twice'],
    [RELAY, ['#@ Transports ='], 10, 'the list is empty'],
    [RELAY, ['#@ RelayName = a b'], 10, 'this is no name'],
    [[], ['#@ Transports = udp, masque'], 8, 'the setting needs a relay'],
  ] as const)('%j %j is a mistake of line %i', (own, peer, line, message) => {
    const { config, problems } = parse(own, peer);
    expect(config).toBeUndefined();
    const mistake = problems.find(
      (problem) => problem.severity === 'error' && problem.message.includes(message),
    );
    expect(mistake?.line).toBe(line);
    expect(mistake?.remedy).not.toBe('');
    expect(JSON.stringify(problems)).not.toContain('secret');
  });

  it('suggest what was meant', () => {
    const { problems } = parse(['#@ RelayTokens = /x']);
    expect(problems[0].remedy).toBe('did you mean RelayToken?');
  });
});
