// The reward services that this hub may ask, by its configuration.
import { Inject, Injectable } from '@nestjs/common';
import { CONFIGURATION, type Configuration } from '#src/config/configuration.js';
import { createRewardHook, type RewardHook } from './reward-hook.js';
import { parseRewardUrl } from './reward-url.js';

@Injectable()
export class RewardHooks {
  constructor(@Inject(CONFIGURATION) private readonly configuration: Pick<Configuration, 'rewardOrigins' | 'rewardTimeoutMs'>) {}

  /** @throws BraidError REWARD_URL_INVALID, REWARD_ORIGIN_REFUSED */
  assertAllowed(url: string): void {
    parseRewardUrl(url, this.configuration.rewardOrigins);
  }

  /** @throws BraidError as `assertAllowed`: the process that runs a job may be configured otherwise than the one that took it in */
  open(url: string): RewardHook {
    const { rewardOrigins, rewardTimeoutMs } = this.configuration;
    return createRewardHook(parseRewardUrl(url, rewardOrigins), { timeoutMs: rewardTimeoutMs });
  }
}
