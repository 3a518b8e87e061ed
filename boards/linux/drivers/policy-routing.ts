/** What is there already of tables and policy rules, asked of the kernel. */

/** Whether a route of this family is in the table. */
export function tableUsed(this: void, family: 4 | 6, table: number): boolean {
  return native('xs_policy_table_used').call(this, family, table);
}

/** The preference of the first rule after the kernel's local one, `most` at most, or a negative errno. */
export function lowestPreference(this: void, family: 4 | 6, most: number): number {
  return native('xs_policy_lowest_preference').call(this, family, most);
}

/** Whether a rule is there for everything without some mark, as tunnels with a default route have. */
export function markRulesLeft(this: void, family: 4 | 6): boolean {
  return native('xs_policy_mark_rules_left').call(this, family);
}
