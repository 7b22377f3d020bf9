// How many values a label may have: each makes time series of its own, which whoever scrapes keeps for weeks.

/** What every value beyond the cap is called. */
export const OTHER = 'other';

export class LabelCap {
  private readonly known = new Set<string>();

  /** @param most values that keep their names, first come first served */
  constructor(private readonly most: number) {}

  /** The value, or `other`. */
  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.most) return OTHER;
    this.known.add(value);
    return value;
  }
}
