// Finds what somebody meant to write. Spelling (`apiKey`, `api-key`) does not count as a difference.

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_ ]/g, "");
}

/** Edits (insert, delete, replace, swap of neighbours) that make `a` into `b`: optimal string alignment. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const kept = cell(above, j - 1) + (same ? 0 : 1);
      let best = Math.min(kept, cell(above, j) + 1, cell(row, j - 1) + 1);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, cell(before, j - 2) + 1);
      row.push(best);
    }
    before = above;
    above = row;
  }
  return cell(above, b.length);
}

function cell(row: readonly number[], at: number): number {
  return row[at] ?? Number.POSITIVE_INFINITY;
}

/** The known word nearest to `word`; undefined when nothing is near enough to be worth a guess. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const meant = plain(word);
  if (meant.length > 64) return undefined;
  let found: string | undefined;
  let least = Math.max(2, Math.floor(meant.length / 3)) + 1;
  for (const each of known) {
    const candidate = plain(each);
    const within = meant.length >= 3 && (candidate.includes(meant) || meant.includes(candidate));
    const distance = Math.min(editDistance(meant, candidate), within ? 2 : Number.POSITIVE_INFINITY);
    if (distance < least && distance < candidate.length) {
      least = distance;
      found = each;
    }
  }
  return found;
}
