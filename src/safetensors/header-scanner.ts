// A strict reader of the JSON subset that a safetensors header uses. JSON.parse keeps the last of two equal keys in silence; this refuses them.

/** What the header says of one tensor, before anything is checked against the file. */
export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface RawHeader {
  readonly tensors: Map<string, RawTensor>;
  readonly metadata: Map<string, string>;
}

/** The header text is not what a safetensors header may be; `message` says where and why. */
export class HeaderSyntaxError extends Error {
  override readonly name = 'HeaderSyntaxError';
}

/** What one header may hold at most. */
export interface HeaderBounds {
  readonly maxTensors: number;
  readonly maxRank: number;
}

const WHITESPACE = /[ \t\n\r]*/y;
// Sizes and offsets are whole numbers without sign, fraction or exponent; 16 digits reach past Number.MAX_SAFE_INTEGER.
const UNSIGNED = /(?:0|[1-9]\d{0,15})(?![\d.eE])/y;

/**
 * Reads `{ "name": { "dtype": …, "shape": […], "data_offsets": [begin, end] }, …, "__metadata__": { … } }`.
 * @throws HeaderSyntaxError
 */
export function scanHeader(text: string, bounds: HeaderBounds): RawHeader {
  return new HeaderScanner(text, bounds).scan();
}

class HeaderScanner {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly bounds: HeaderBounds,
  ) {}

  scan(): RawHeader {
    const tensors = new Map<string, RawTensor>();
    let metadata: Map<string, string> | undefined;
    if (this.text[0] !== '{') this.refuse('it does not begin with "{"');
    this.eachMember('the header', (name) => {
      if (name === '__metadata__') {
        metadata = this.readMetadata();
      } else {
        if (tensors.size >= this.bounds.maxTensors) this.refuse(`it names more than ${this.bounds.maxTensors} tensors`);
        tensors.set(name, this.readTensor(name));
      }
    });
    this.skip();
    if (this.at < this.text.length) this.refuse(`something follows the closing "}" at character ${this.at}`);
    return { tensors, metadata: metadata ?? new Map<string, string>() };
  }

  private readTensor(name: string): RawTensor {
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    const tensor = `tensor ${shown(name)}`;
    this.eachMember(tensor, (key) => {
      switch (key) {
        case 'dtype':
          dtype = this.readString();
          break;
        case 'shape':
          shape = this.readNumbers(`the shape of ${tensor}`, this.bounds.maxRank);
          break;
        case 'data_offsets':
          offsets = this.readNumbers(`data_offsets of ${tensor}`, 2);
          break;
        default:
          this.refuse(`${tensor} has a field ${shown(key)}; only dtype, shape and data_offsets are known`);
      }
    });
    const [begin, end] = offsets ?? [];
    if (dtype === undefined || shape === undefined || begin === undefined || end === undefined) {
      this.refuse(`${tensor} lacks dtype, shape or the two data_offsets`);
    }
    return { dtype, shape, begin, end };
  }

  private readMetadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    this.eachMember('__metadata__', (key) => metadata.set(key, this.readString()));
    return metadata;
  }

  /** Reads an object; `read` consumes the value of each key. Equal keys are refused. */
  private eachMember(of: string, read: (key: string) => void): void {
    const seen = new Set<string>();
    this.expect('{');
    if (this.accept('}')) return;
    do {
      const key = this.readString();
      if (seen.has(key)) this.refuse(`${of} names ${shown(key)} twice`);
      seen.add(key);
      this.expect(':');
      read(key);
    } while (this.accept(','));
    this.expect('}');
  }

  private readNumbers(of: string, most: number): number[] {
    const numbers: number[] = [];
    this.expect('[');
    if (this.accept(']')) return numbers;
    do {
      if (numbers.length >= most) this.refuse(`${of} has more than ${most} numbers`);
      numbers.push(this.readUnsigned(of));
    } while (this.accept(','));
    this.expect(']');
    return numbers;
  }

  private readUnsigned(of: string): number {
    this.skip();
    UNSIGNED.lastIndex = this.at;
    const match = UNSIGNED.exec(this.text);
    const value = Number(match?.[0]);
    if (match === null || !Number.isSafeInteger(value))
      this.refuse(`${of} has something other than a whole number at character ${this.at}`);
    this.at = UNSIGNED.lastIndex;
    return value;
  }

  private readString(): string {
    this.skip();
    const start = this.at;
    if (this.text[start] !== '"') this.refuse(`a string is missing at character ${start}`);
    // Not a regular expression: on a string of megabytes its backtracking stack would overflow.
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    this.at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      this.refuse(`the string at character ${start} is malformed`);
    }
  }

  private accept(symbol: string): boolean {
    this.skip();
    if (this.text[this.at] !== symbol) return false;
    this.at++;
    return true;
  }

  private expect(symbol: string): void {
    if (!this.accept(symbol)) {
      this.refuse(
        this.at >= this.text.length ? `it ends where "${symbol}" should stand` : `"${symbol}" is missing at character ${this.at}`,
      );
    }
  }

  private skip(): void {
    WHITESPACE.lastIndex = this.at;
    WHITESPACE.test(this.text);
    this.at = WHITESPACE.lastIndex;
  }

  private refuse(message: string): never {
    throw new HeaderSyntaxError(message);
  }
}

/** Names come from strangers: quoted, escaped and cut before they enter a message. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}
