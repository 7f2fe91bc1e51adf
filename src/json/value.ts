/**
 * The type of a JSON value that may not be written to. Structurally the same as the one plugins see; repeated here because
 * this folder imports nothing of ours.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
