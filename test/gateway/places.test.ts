import { describe, expect, it } from 'vitest';
import { interfaceNameOf } from '../../host/gateway/configuration.js';
import { defaultStateDirectory } from '../../host/gateway/state-directory.js';
import { isInterfaceName, uapiPath } from '../../host/gateway/uapi-path.js';

describe('the state directory', () => {
  it.each([
    [{ STATE_DIRECTORY: '/var/lib/x:/var/lib/y', XDG_STATE_HOME: '/s' }, 0, '/var/lib/x'],
    [{ XDG_STATE_HOME: '/s', HOME: '/root' }, 0, '/var/lib/cloudbridge-gateway'],
    [{ XDG_STATE_HOME: '/s', HOME: '/home/a' }, 1000, '/s/cloudbridge-gateway'],
    // The XDG base directory specification: a relative path is invalid and to be ignored.
    [{ XDG_STATE_HOME: 's', HOME: '/home/a' }, 1000, '/home/a/.local/state/cloudbridge-gateway'],
  ])('with %j for user %i is %s', (environment, uid, expected) => {
    expect(defaultStateDirectory(environment, uid)).toBe(expected);
  });
});

describe("an interface's name", () => {
  it.each(['wg0', 'a', 'Site_1.a=b+c-d', 'x'.repeat(15)])('may be %s', (name) => {
    expect(isInterfaceName(name)).toBe(true);
  });

  it.each(['', '.', '..', 'a/b', 'a b', 'ü', 'x'.repeat(16), '../../etc/x', 'a\0'])(
    'may not be %j',
    (name) => {
      expect(isInterfaceName(name)).toBe(false);
      expect(() => uapiPath('/run', name)).toThrow(/cannot be an interface name/);
    },
  );

  it('comes from the file, as for wg-quick', () => {
    expect(['/etc/wireguard/wg0.conf', 'site.conf', 'plain'].map(interfaceNameOf)).toEqual([
      'wg0',
      'site',
      'plain',
    ]);
  });

  it('makes no socket path that the kernel would cut', () => {
    expect(uapiPath('/run/user/1000/wireguard', 'wg0')).toBe('/run/user/1000/wireguard/wg0.sock');
    expect(() => uapiPath(`/${'d'.repeat(100)}`, 'wg0')).toThrow(/too long; set XDG_RUNTIME_DIR/);
  });
});
