/** Times as records print them. Owns nothing but the text of the second that was printed last. */

let second = Number.NaN
let secondText = ''

/** ISO 8601 of a time in milliseconds; the text of the second is kept, for most records share it with the one before. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms / 1000)
  if (whole !== second) {
    second = whole
    secondText = new Date(whole * 1000).toISOString().slice(0, 20)
  }
  return `${secondText}${String(Math.floor(ms) - whole * 1000).padStart(3, '0')}Z`
}
