/** The file of a module named from the repository's root without its ending: .ts in a checkout, .js in the package. */
export function entryUrl(path: string): URL {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  return new URL(`../../${path}${ending}`, import.meta.url);
}
