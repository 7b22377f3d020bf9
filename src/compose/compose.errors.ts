// What compose refuses, and how a job can end badly.
import { errorsOf, type ErrorTable } from '#src/http/braid-error.js';

export const composeErrors = {
  ADAPTER_ON_OTHER_BASE: {
    status: 400,
    message: '{adapter} was trained for the base model {found}, not for {base}: leave it out, or compose on {found}.',
    fields: ['adapter', 'found', 'base'],
  },
  ADAPTERS_OR_QUERY: {
    status: 400,
    message: 'Give either "adapters", or "query" and "top"; not both: the named ones are taken as they are.',
  },
  CANDIDATE_REPEATED: {
    status: 400,
    message: '{adapter} is listed more than once: list every adapter once, in one version.',
    fields: ['adapter'],
  },
  NO_CANDIDATES: {
    status: 400,
    message: 'There is no adapter to compose from: {reason}.',
    fields: ['reason'],
  },
  BUDGET_TOO_SMALL: {
    status: 400,
    message:
      'A budget of {budget} evaluations is too small for {candidates} candidates: the base, every candidate alone and the uniform mixture are measured first{recheck}, so give at least {fewest}, or fewer candidates.',
    fields: ['budget', 'candidates', 'fewest', 'recheck'],
  },
  WARM_START_INVALID: {
    status: 400,
    message:
      '"warmStart" must give candidates of this search finite weights from −{bound} to {bound}, by their names without a version: {found}.',
    fields: ['bound', 'found'],
  },
  CHOICES_MISSING: {
    status: 400,
    message: 'The objective "choice" needs "choices": a list of at least two answers, among them every example\'s.',
  },
  CHOICES_UNUSED: {
    status: 400,
    message: 'The objective "{objective}" knows no "choices": leave them out, or ask for the objective "choice".',
    fields: ['objective'],
  },
  REWARD_MISSING: {
    status: 400,
    message: 'The objective "reward" needs "reward": the URL of the service that judges answers.',
  },
  REWARD_UNUSED: {
    status: 400,
    message: 'The objective "{objective}" asks no service: leave "reward" out, or ask for the objective "reward".',
    fields: ['objective'],
  },
  REWARD_URL_INVALID: {
    status: 400,
    message: '"reward" is {found}; it must be a URL of http: or https: without user and password, like http://127.0.0.1:9100/reward.',
    fields: ['found'],
  },
  REWARD_ORIGIN_REFUSED: {
    status: 403,
    message:
      '"reward": this hub must not ask {origin}. It asks only the origins that its setting BRAID_REWARD_ORIGINS lists, {listed} at present: let its operator add this one, in every process that runs jobs.',
    fields: ['origin'],
  },
  REWARD_UNAVAILABLE: {
    status: 503,
    message:
      'The reward service {service} was asked {attempts} times and gave no rewards; the last time {reason}. See that it runs and answers in time, then send the request anew: what the model computed is kept.',
    fields: ['service', 'attempts', 'reason'],
    retryable: true,
  },
  REWARD_REFUSED: {
    status: 502,
    message:
      'The reward service {service} answered with {found}; it must answer a POST with status 200 and JSON, {"rewards": […]}. Give the address that does, or look at its log.',
    fields: ['service', 'found'],
  },
  REWARD_INVALID: {
    status: 502,
    message:
      'The reward service {service} was asked about {wanted} answers and gave {found}; it must give {"rewards": […]}, {wanted} numbers from 0 to 1, as JSON of at most {bytes} bytes. Put it right, then send the request anew.',
    fields: ['service', 'found', 'wanted'],
  },
  NOTHING_CHANGED: {
    status: 409,
    message:
      '{name}@{version} was composed from the newest versions of all its candidates: publish a new version of one of them, or compose anew with other examples or settings.',
    fields: ['name', 'version'],
  },
  EXAMPLES_NOT_KEPT: {
    status: 409,
    message: 'The examples of {name}@{version} were not kept, so it cannot be composed again by itself: send them with a new request.',
    fields: ['name', 'version'],
  },
  REPORT_MISSING: {
    status: 404,
    message: '{name}@{version} has no report that could be shown: no search of this kind made it. Compose it again to get one.',
    fields: ['name', 'version'],
  },
  SHOTS_NEED_EXAMPLES: {
    status: 400,
    message:
      '"shots": {shots} examples are to stand in front of another one, so there must be at least {needed}; found {found}. Send more examples, or ask for fewer shots.',
    fields: ['shots', 'found', 'needed'],
  },
  SHOTS_MIXED: {
    status: 400,
    message:
      'Examples, {first} and {other}: one is a text and one are messages, so neither can stand in front of the other; with "shots" write all in one form.',
    fields: ['first', 'other'],
  },
  SHOT_UNENDED: {
    status: 400,
    message:
      'Examples, {place}: with "shots" a blank line ends an answer, and this one has a blank line in it or a line break at its end: take it out, or write the examples as messages.',
    fields: ['place'],
  },
  SHOTS_TOO_LONG: {
    status: 400,
    message: 'Examples, {place}: {found} tokens with {shots} examples in front of it; the context of the base model has {most}. {advice}.',
    fields: ['place', 'found', 'shots', 'most', 'fitting'],
  },
  HELD_OUT_TOO_FEW: {
    status: 400,
    message:
      '"validate=held-out" sets a third of the examples aside, for which there must be at least {needed}; found {found}. Send more, or ask for "validate=cross-validation".',
    fields: ['found', 'needed'],
  },
  HELD_OUT_WITH_SHOTS: {
    status: 400,
    message:
      '"validate=held-out" with {shots} shots: the examples that are set aside would stand in front of those that are searched on. Ask for "validate=cross-validation", or leave "shots" out.',
    fields: ['shots'],
  },
  STRATEGY_UNKNOWN: {
    status: 400,
    message:
      'There is no {found} among the strategies: give a preset, then single stages, like "weave,search=cma-es"; here {allowed} would do.',
    fields: ['found', 'allowed'],
  },
  NAME_RESERVED: {
    status: 400,
    message: 'The namespace "jobs" is taken by the routes of compose: choose another name than {name}.',
    fields: ['name'],
  },
  TOO_MANY_JOBS: {
    status: 429,
    message: '{waiting} composition jobs{whose} wait already, which is the limit: try again when some are done, or cancel them.',
    fields: ['waiting'],
    retryable: true,
  },
  UNKNOWN_JOB: {
    status: 404,
    message: 'There is no composition job {id}.',
    fields: ['id'],
  },
  INVALID_CURSOR: {
    status: 400,
    message: '"after" is not the "next" of a page of jobs: leave it out to begin at the newest.',
  },
  JOB_ENDED: {
    status: 409,
    message: 'The job {id} has {status} already; there is nothing to cancel.',
    fields: ['id', 'status'],
  },
  JOB_ABANDONED: {
    status: 500,
    message:
      'The process that ran this job ended {attempts} times, so it is not tried again: look at the log of the hub, then send the request anew.',
    fields: ['attempts'],
  },
  NOTHING_EVALUABLE: {
    status: 422,
    message:
      'Neither the base model nor any mixture of the candidates gives these examples a finite loss: check the base model and the examples.',
  },
  JOB_FAILED: {
    status: 500,
    message: 'The search failed for a reason of our own; the log of the hub names it under this job.',
  },
} as const satisfies ErrorTable;

export const failCompose = errorsOf(composeErrors);
