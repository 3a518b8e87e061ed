/** Some seconds of `npm run soak`. */
import { expect, it } from 'vitest';
import type { TierChoice } from '../../host/gateway/request.js';
import { Soak } from '../soak/soak.js';
import { IP, labSuite, NFT, PING, WG } from './requirements.js';

labSuite('a tunnel under full load', ['root', IP, NFT, PING, WG], () => {
  it('loses no flow and no byte while keys change, an end moves and bits flip', async () => {
    const soak = new Soak({
      seconds: 8,
      tier: (process.env.GATEWAY_TIER ?? 'auto') as TierChoice,
      against: 'ours',
      flows: 1,
      chunk: 5e6,
      rekey: 2,
      roam: 1,
      report: 4,
      flipOneIn: 300,
      say: () => {},
    });
    const { faults, summary } = await soak.run();
    expect(faults, summary.join('\n')).toEqual([]);
  }, 120_000);
});
