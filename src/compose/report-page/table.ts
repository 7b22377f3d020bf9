// A table with headers for columns and rows, in a frame that scrolls sideways by itself where the page is narrow.
import { type Content, type Markup, markup } from '#src/drawing/markup.js';

export interface Column {
  readonly heading: Content;
  /** Right-aligned figures. */
  readonly isNumber?: boolean;
}

export interface Row {
  /** The first cell is the row's header. */
  readonly cells: readonly Content[];
  /** Stands out: what the page is about. */
  readonly isMarked?: boolean;
}

/** @param label names the table to those who do not see it */
export function table(label: string, columns: readonly Column[], rows: readonly Row[]): Markup {
  const classOf = (i: number): string => (columns[i]?.isNumber === true ? 'number' : 'words');
  const head = columns.map(({ heading }, i) => markup`<th scope="col" class="${classOf(i)}">${heading}</th>`);
  const body = rows.map(({ cells, isMarked = false }) => {
    const drawn = cells.map((cell, i) =>
      i === 0 ? markup`<th scope="row" class="${classOf(i)}">${cell}</th>` : markup`<td class="${classOf(i)}">${cell}</td>`,
    );
    return markup`<tr class="${isMarked ? 'marked' : 'plain'}">${drawn}</tr>\n`;
  });
  return markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>${body}</tbody>
</table></div>`;
}
