import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/control/link.js';
import { ROUTE_CHOICE_TIMING, RouteChoice } from '../../src/control/route-choice.js';
import { isNamed, mayBeOpen, routesOf } from '../../src/control/routes.js';

const WEBSOCKET: Route = { kind: 'websocket', url: 'wss://c/ws' };
const EVENTS: Route = { kind: 'event-stream', url: 'https://c/events' };
const POLLING: Route = { kind: 'polling', url: 'https://c/poll' };
const TUNNEL: Route = { kind: 'websocket', url: 'ws://[fd00::1]:80/ws', tunnel: 'http://[fd00::1]:80' };
const ALL = [WEBSOCKET, EVENTS, POLLING];
const { firstReturn, shortLife } = ROUTE_CHOICE_TIMING;

describe('the choice of the way to the control plane', () => {
  it('falls back one by one, says why, and waits only after a whole round', () => {
    const choice = new RouteChoice(ALL);
    expect(choice.reason).toBe('the first choice');
    expect(choice.failed(0, 'the server answered 400')).toBe(true);
    expect(choice.route).toBe(EVENTS);
    expect(choice.reason).toBe('not websocket: the server answered 400');
    expect(choice.failed(1, 'no answer in time')).toBe(true);
    expect(choice.reason).toBe('not websocket: the server answered 400; not event-stream: no answer in time');
    expect(choice.failed(2, 'no answer in time')).toBe(false);
    expect(choice.route).toBe(WEBSOCKET);
  });

  it('tries the better ways again, less and less often', () => {
    const choice = new RouteChoice(ALL);
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      choice.failed(now, 'blocked');
      choice.live(now);
      waits.push(choice.returnAt() - now);
      now = choice.returnAt();
      choice.returnToFirst();
      expect(choice.route).toBe(WEBSOCKET);
    }
    expect(waits.slice(0, 3)).toEqual([firstReturn, 2 * firstReturn, 4 * firstReturn]);
    expect(waits.at(-1)).toBe(ROUTE_CHOICE_TIMING.lastReturn);
    choice.live(now);
    expect(choice.returnAt()).toBe(Number.POSITIVE_INFINITY);
  });

  it('begins with the first again when a session that lived is lost; one that did not is a failure', () => {
    const choice = new RouteChoice(ALL);
    choice.failed(0, 'blocked');
    choice.live(0);
    expect(choice.failed(shortLife, 'lost')).toBe(false);
    expect(choice.route).toBe(WEBSOCKET);
    choice.live(shortLife);
    expect(choice.failed(shortLife + 1, 'cut off')).toBe(true);
    expect(choice.reason).toBe('not websocket: cut off');
  });

  it('keeps a living session over a route that is still there, and tries new better ones at once', () => {
    const choice = new RouteChoice(ALL);
    choice.live(5);
    expect(choice.replace([TUNNEL, ...ALL], true)).toBe(true);
    expect(choice.route).toBe(WEBSOCKET);
    expect(choice.reason).toBe('not websocket in the tunnel: not tried yet');
    expect(choice.returnAt()).toBe(5);
    choice.returnToFirst();
    choice.failed(6, 'no answer in time');
    choice.live(7);
    expect(choice.returnAt()).toBe(7 + firstReturn);
    expect(choice.replace([EVENTS], true)).toBe(false);
    expect(choice.route).toBe(EVENTS);
  });
});

describe('the ways inside the tunnel', () => {
  it('stand first for boards, last for others, and where a setting puts them', () => {
    expect(routesOf(ALL, [], { route: TUNNEL, first: true })[0]).toBe(TUNNEL);
    expect(routesOf(ALL, [], { route: TUNNEL, first: false }).at(-1)).toBe(TUNNEL);
    expect(routesOf(ALL, ['wss://other/ws', 'tunnel'], { route: TUNNEL, first: false })[1]).toBe(TUNNEL);
    expect(routesOf(ALL, ['tunnel'])).toEqual(ALL);
    expect(isNamed(TUNNEL, ['tunnel'])).toBe(true);
    expect(isNamed(WEBSOCKET, ['tunnel'])).toBe(false);
    expect(isNamed({ kind: 'websocket', url: 'ws://[fd00::1]:80/ws' }, ['tunnel'])).toBe(false);
  });

  it('are the only open ones beyond this machine', () => {
    expect(mayBeOpen(TUNNEL)).toBe(true);
    expect(mayBeOpen({ kind: 'websocket', url: 'ws://[fd00::1]:80/ws' })).toBe(false);
    expect(mayBeOpen({ ...TUNNEL, url: 'ws://[fd00::2]:80/ws' })).toBe(false);
    expect(mayBeOpen({ kind: 'websocket', url: 'ws://127.0.0.1:8080/ws' })).toBe(true);
  });
});
