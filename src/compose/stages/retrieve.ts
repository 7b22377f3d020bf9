// The first stage: from all adapters on a base model to the few that the search can afford, by what their tasks look like and by words.
import type { Digest, RepoName, Version } from '#src/ids/ids.js';
import { pickDiverse } from '#src/search/likeness/pick-diverse.js';
import type { Neighbour, Neighbours, SignatureIndex } from '#src/search/likeness/signature-index.js';

/** Most adapters that retrieval hands on. */
export const MOST_RETRIEVED = 32;
/** Neighbours among which unlike ones are picked. */
const POOL = 512;
/** How much a candidate's likeness to one that is picked already counts against it. */
const DIVERSITY = 0.3;
/** Most adapters that words may give. */
const MOST_WORD_HITS = 100;
// Cormack, Clarke & Büttcher 2009 (SIGIR), where 60 did well on every collection.
const FUSION_CONSTANT = 60;

export interface RetrieveRequest {
  /** Signature of the task: unit length. */
  readonly signature: Float32Array;
  /** Only adapters that fit these words. */
  readonly query?: string | undefined;
  /** At most {@link MOST_WORD_HITS} with a query. */
  readonly limit: number;
}

/** What is asked of search, on the base model at hand. */
export interface RetrieveSource {
  findNearest(signature: Float32Array, limit: number): Promise<Neighbours & Pick<SignatureIndex, 'kind'>>;
  /** The named ones that have a signature, most alike first. */
  compare(signature: Float32Array, names: readonly RepoName[]): Promise<readonly Neighbour[]>;
  /** Names that fit the words, best first. */
  findByWords(query: string, limit: number): Promise<readonly RepoName[]>;
}

export interface RetrievedAdapter {
  readonly adapter: RepoName;
  /** Undefined where only words found it. */
  readonly version: Version | undefined;
  readonly digest: Digest | undefined;
  /** Cosine of its signature and the task's, −1…1; null without a signature. */
  readonly similarity: number | null;
  /** Place among all that fit the words, from 1; null without a query. */
  readonly textRank: number | null;
}

/** What retrieval did, as JSON. */
export interface RetrieveReport {
  readonly method: 'likeness' | 'likeness-and-words';
  readonly index: SignatureIndex['kind'] | 'named';
  /** Adapters that were compared. */
  readonly considered: number;
  readonly kept: number;
  readonly candidates: readonly Pick<RetrievedAdapter, 'adapter' | 'similarity' | 'textRank'>[];
  readonly seconds: number;
}

export interface Retrieved {
  /** Best first, at most `limit`. */
  readonly adapters: readonly RetrievedAdapter[];
  readonly report: RetrieveReport;
}

/** Without a query the nearest, unlike ones first among them; with one the adapters that fit it, ordered by words and likeness together. */
export async function retrieve(request: RetrieveRequest, source: RetrieveSource, now: () => number = Date.now): Promise<Retrieved> {
  const start = now();
  const { adapters, considered, index } = await (request.query === undefined
    ? byLikeness(request, source)
    : byWords(request.query, request, source));
  return {
    adapters,
    report: {
      method: request.query === undefined ? 'likeness' : 'likeness-and-words',
      index,
      considered,
      kept: adapters.length,
      candidates: adapters.map(({ adapter, similarity, textRank }) => ({ adapter, similarity, textRank })),
      seconds: (now() - start) / 1000,
    },
  };
}

interface Found {
  readonly adapters: RetrievedAdapter[];
  readonly considered: number;
  readonly index: RetrieveReport['index'];
}

async function byLikeness({ signature, limit }: RetrieveRequest, source: RetrieveSource): Promise<Found> {
  const { nearest, considered, kind } = await source.findNearest(signature, Math.max(POOL, limit));
  // Copies of one adapter under several names are one candidate.
  const distinct = nearest.filter(({ digest }, i) => nearest.findIndex((other) => other.digest === digest) === i);
  const adapters = pickDiverse(distinct, limit, DIVERSITY).map((neighbour) => ({ ...describe(neighbour), textRank: null }));
  return { adapters, considered, index: kind };
}

async function byWords(query: string, { signature, limit }: RetrieveRequest, source: RetrieveSource): Promise<Found> {
  const names = await source.findByWords(query, Math.max(MOST_WORD_HITS, limit));
  const neighbours = await source.compare(signature, names);
  const likeness = new Map(neighbours.map((neighbour, i) => [neighbour.name, { neighbour, rank: i + 1 }]));
  const adapters = names
    .map((adapter, i) => {
      const alike = likeness.get(adapter);
      const textRank = i + 1;
      const described =
        alike === undefined ? { adapter, version: undefined, digest: undefined, similarity: null } : describe(alike.neighbour);
      return { adapter: { ...described, textRank }, score: fuseRanks([textRank, alike?.rank]) };
    })
    // The sort is stable: equally good ones stay in the order of the words.
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ adapter }) => adapter);
  return { adapters, considered: names.length, index: 'named' };
}

/** Reciprocal rank fusion: Σ 1 / (60 + rank) over the lists that an item is in, ranks from 1. */
export function fuseRanks(ranks: readonly (number | undefined)[]): number {
  return ranks.reduce<number>((sum, rank) => sum + (rank === undefined ? 0 : 1 / (FUSION_CONSTANT + rank)), 0);
}

function describe({ name, version, digest, similarity }: Neighbour): Omit<RetrievedAdapter, 'textRank'> {
  return { adapter: name, version, digest, similarity };
}
