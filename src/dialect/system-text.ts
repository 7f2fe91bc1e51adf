/**
 * System texts in mid-conversation, for dialects that know none there (PROTOCOL §1.1).
 *
 * They keep their place: moved to the top they would change the order of things and the prefix that the provider has cached (H14).
 */

/** The text of a user turn that stands for a system text. The marker never changes, so that the prompt cache holds. */
export function markedSystemText(text: string): string {
  return `<system>\n${text}\n</system>`
}
