import { describe, expect, it } from 'vitest';
import { planRoutes } from '../../host/gateway/platform/routes.js';
import { formatPrefix, parseInterfaceAddress, parsePrefix } from '../../src/packet/address.js';

const allowed = (...texts: string[]) => texts.map((text) => parsePrefix(text)!);
const own = (...texts: string[]) => texts.map((text) => parseInterfaceAddress(text)!);
const routesOf = (plan: ReturnType<typeof planRoutes>) => plan.routes.map(formatPrefix);

describe('the routes for AllowedIPs', () => {
  it('go to the main table, longest prefix first', () => {
    const plan = planRoutes(
      allowed('10.0.0.0/8', '10.1.0.0/16', 'fd00::/8', '10.1.2.3/32'),
      own('192.0.2.1/32'),
      'auto',
    );
    expect(routesOf(plan)).toEqual(['10.1.2.3/32', '10.1.0.0/16', '10.0.0.0/8', 'fd00::/8']);
    expect(plan).toMatchObject({ defaults: [], table: undefined });
  });

  it('leave out what the interface’s own network covers, and nothing wider', () => {
    const plan = planRoutes(
      allowed('10.0.0.2/32', '10.0.0.0/24', '10.0.0.0/23', 'fd00::2/128', 'fd00::/63'),
      own('10.0.0.1/24', 'fd00::1/64'),
      'auto',
    );
    expect(routesOf(plan)).toEqual(['fd00::/63', '10.0.0.0/23']);
  });

  it('name a prefix once, whichever peers have it', () => {
    const plan = planRoutes(allowed('10.2.0.0/16', '10.2.0.0/16'), own('10.0.0.1/32'), 'auto');
    expect(routesOf(plan)).toEqual(['10.2.0.0/16']);
  });

  it('keep a default route apart, for each family', () => {
    const plan = planRoutes(allowed('::/0', '0.0.0.0/0', '10.0.0.0/8'), own('10.9.0.1/32'), 'auto');
    expect(plan.defaults).toEqual([4, 6]);
    expect(routesOf(plan)).toEqual(['10.0.0.0/8']);
    expect(planRoutes(allowed('::/0'), [], 'auto').defaults).toEqual([6]);
  });

  it('treat halves of everything as ordinary routes', () => {
    const plan = planRoutes(allowed('0.0.0.0/1', '128.0.0.0/1'), own('10.9.0.1/32'), 'auto');
    expect(plan.defaults).toEqual([]);
    expect(routesOf(plan)).toEqual(['0.0.0.0/1', '128.0.0.0/1']);
  });

  it('all go to a table of their own when one is named, or nowhere', () => {
    const plan = planRoutes(allowed('0.0.0.0/0', '10.0.0.2/32'), own('10.0.0.1/24'), 77);
    expect(routesOf(plan)).toEqual(['10.0.0.2/32', '0.0.0.0/0']);
    expect(plan).toMatchObject({ defaults: [], table: 77 });
    expect(planRoutes(allowed('0.0.0.0/0'), own('10.0.0.1/24'), 'off')).toMatchObject({
      routes: [],
      defaults: [],
    });
  });
});
