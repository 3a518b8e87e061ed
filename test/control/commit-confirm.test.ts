import { describe, expect, it } from 'vitest';
import type { RecordValue } from '../../src/control/shape.js';
import { VirtualClock } from '../wireguard/virtual/world.js';
import { Flash, untilPowered, walkPowerCuts } from './power.js';
import { FakeControl, startAgent } from './virtual-control.js';

const results = (server: FakeControl): string[] =>
  server.heard
    .filter(({ type }) => type === 'configuration-result')
    .map(({ data }) => `${data.revision} ${data.result}`);

const proposal = (revision: number, settings: RecordValue): RecordValue => ({
  revision,
  confirm_within: 60,
  settings,
});

describe('settings under commit-confirm', () => {
  it('keeps a revision that an acknowledged heartbeat names', () => {
    const flash = new Flash();
    const { agent, server, run } = startAgent(flash);
    run(10_000);
    server.say('configuration', proposal(1, { mtu: 1300, heartbeat: 60 }));
    run(5_000);
    expect(results(server)).toEqual(['1 applied', '1 confirmed']);
    expect(agent.configuration.onTrial).toBe(false);
    server.say('configuration', proposal(1, { mtu: 1400 }));
    server.say('configuration', proposal(0, { mtu: 1400 }));
    run(5_000);
    expect(results(server).slice(2)).toEqual(['1 confirmed', '0 refused']);
    expect(startAgent(flash).agent.configuration.settings).toEqual({ mtu: 1300, heartbeat: 60 });
  });

  it('tells in each new session what became of the last revision: the one before may have had no time to', () => {
    const flash = new Flash();
    const first = startAgent(flash);
    first.run(10_000);
    first.server.say('configuration', proposal(1, { mtu: 1300 }));
    first.run(5_000);
    const second = startAgent(flash);
    second.run(10_000);
    expect(results(second.server)).toEqual(['1 confirmed']);
    second.server.say('configuration', proposal(2, { control: ['wss://nowhere.example/ws'] }));
    second.server.unreachable.add('nowhere.example');
    second.run(300_000);
    second.server.lose();
    second.run(60_000);
    expect(results(second.server).slice(-2)).toEqual(['2 reverted', '2 reverted']);
  });

  it('reverts settings that lead to a control plane that does not answer', () => {
    const { agent, server, run } = startAgent(new Flash());
    run(10_000);
    server.unreachable.add('nowhere.example');
    server.say('configuration', proposal(1, { control: ['wss://nowhere.example/ws'] }));
    run(30_000);
    expect(server.opened.some(({ url }) => url.includes('nowhere'))).toBe(true);
    // The way back gets a heartbeat through, which proves nothing about the new endpoint.
    expect(agent.configuration.onTrial).toBe(true);
    run(120_000);
    expect(agent.configuration.onTrial).toBe(false);
    expect(agent.configuration.settings).toEqual({});
    expect(agent.configuration.failed?.reason).toContain('no heartbeat');
    expect(results(server)).toContain('1 reverted');
    expect(agent.session.healthy).toBe(true);
    server.say('configuration', proposal(1, { control: ['wss://nowhere.example/ws'] }));
    run(5_000);
    expect(agent.configuration.onTrial).toBe(false);
  });

  it('reverts settings that cost it the control plane altogether', () => {
    const { agent, server, run } = startAgent(new Flash(), {
      actions: {
        changed: () => {
          server.down = agent.configuration.settings.mtu === 1280;
        },
      },
    });
    run(10_000);
    server.say('configuration', proposal(1, { mtu: 1280 }));
    run(59_000);
    expect(server.down).toBe(true);
    run(600_000);
    expect(server.down).toBe(false);
    expect(results(server)).toContain('1 reverted');
    expect(agent.session.healthy).toBe(true);
  });

  it('refuses what the tunnel refuses, with its reason', () => {
    const { agent, server, run } = startAgent(new Flash(), {
      actions: {
        changed: () => {
          if (agent.configuration.settings.mtu === 9000)
            throw new RangeError('no interface of 9000 bytes here');
        },
      },
    });
    run(10_000);
    server.say('configuration', proposal(1, { mtu: 9000 }));
    run(5_000);
    expect(results(server)).toEqual(['1 refused']);
    expect(agent.configuration.failed?.reason).toContain('9000 bytes');
    expect(agent.configuration.settings).toEqual({});
  });

  it('comes back from a power cut at every write, with settings that work', () => {
    const cases = walkPowerCuts((flash) => {
      const clock = new VirtualClock();
      const server = new FakeControl(clock);
      // The server tries each revision until it hears what became of it; the third is poison.
      const ends = new Map<number, string>();
      let next = 1;
      server.onMessage = ({ type, data }) => {
        if (type === 'configuration-result' && data.result !== 'applied') {
          ends.set(data.revision as number, data.result as string);
          next = Math.max(next, (data.revision as number) + 1);
        }
        if (type === 'heartbeat' && next <= 4) {
          const settings: RecordValue = { mtu: 1280 + next };
          if (next === 3) settings.control = ['wss://nowhere.example/ws'];
          server.say('configuration', proposal(next, settings));
        }
      };
      server.unreachable.add('nowhere.example');
      let seed = 1;
      const last = untilPowered(() => {
        const world = startAgent(flash, { clock, server, seed: seed++ });
        world.run(1_000_000);
        return world;
      });
      expect(ends.get(3)).toBe('reverted');
      expect(ends.get(4)).toMatch(/confirmed|reverted/);
      expect(last.agent.session.healthy).toBe(true);
      expect(last.agent.configuration.onTrial).toBe(false);
      expect(last.agent.configuration.settings.control).toBeUndefined();
      const settings = last.agent.configuration.settings;
      expect(startAgent(flash, { clock, server }).agent.configuration.settings).toEqual(settings);
    });
    expect(cases).toBeGreaterThan(12);
  });
});
