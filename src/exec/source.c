/*
 * source.c
 *	  What does not belong into a workflow function, looked for in its text.
 *
 * A workflow function is called from the top again and again, so it must not
 * depend on what may differ in the next call.  No language is understood here:
 * words are looked for outside of comments and literals, and what is found is
 * warned of, as it may be harmless.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "exec/source.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* What differs in each replay, and what to write instead. */
static const struct
{
	const char *word;
	const char *instead;
} volatile_words[] = {
	{"now", "temporal.workflow_now()"},
	{"current_timestamp", "temporal.workflow_now()"},
	{"clock_timestamp", "temporal.workflow_now()"},
	{"statement_timestamp", "temporal.workflow_now()"},
	{"transaction_timestamp", "temporal.workflow_now()"},
	{"localtimestamp", "temporal.workflow_now()"},
	{"current_date", "temporal.workflow_now()"},
	{"random", "temporal.workflow_random()"},
	{"gen_random_uuid", "temporal.workflow_uuid()"},
	{"nextval", "an activity or temporal.step()"},
	{"pg_sleep", "temporal.sleep()"},
};

/* The line that is looked at. */
typedef struct Line
{
	const char *function;
	int			number;
	const char *text;
} Line;

static bool
is_word_character(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$';
}

/* ---- comments and literals ---- */

/* How long the "$tag$" is that begins here; 0 if none does. */
static size_t
dollar_quote(const char *body, const char *at)
{
	const char *end = at + 1;

	if (*at != '$' || (at > body && is_word_character(at[-1])) || isdigit((unsigned char) at[1]))
		return 0;
	while (is_word_character(*end) && *end != '$')
		end++;
	return *end == '$' ? end + 1 - at : 0;
}

/* Where the comment or literal ends that begins here; NULL if none does. */
static char *
literal_end(const char *body, char *at)
{
	size_t		tag = dollar_quote(body, at);
	const char *closing = at[0] == '\'' ? "'" :
		at[0] == '-' && at[1] == '-' ? "\n" :
		at[0] == '/' && at[1] == '*' ? "*/" :
		tag > 0 ? pnstrdup(at, tag) : NULL;
	char	   *end;

	if (closing == NULL)
		return NULL;
	end = strstr(at + Max(tag, 1), closing);
	return end == NULL ? at + strlen(at) : end + (closing[0] == '\n' ? 0 : strlen(closing));
}

/* Blanks them; lines stay where they are. */
static void
blank_literals(char *body)
{
	for (char *at = body; *at != '\0';)
	{
		char	   *end = literal_end(body, at);

		if (end == NULL)
			at++;
		else
			for (; at < end; at++)
				if (*at != '\n')
					*at = ' ';
	}
}

/* What side_effect() records may differ: its arguments are blanked as well. */
static void
blank_side_effects(char *body)
{
	static const char *const word = "side_effect";

	for (char *at = strstr(body, word); at != NULL; at = strstr(at, word))
	{
		int			depth = 0;

		for (at += strlen(word); isspace((unsigned char) *at); at++)
			;
		for (; *at == '(' || (depth > 0 && *at != '\0'); at++)
		{
			depth += (*at == '(') - (*at == ')');
			if (*at != '\n')
				*at = ' ';
		}
	}
}

/* ---- words ---- */

/*
 * What follows the word in the line, NULL if it is not there: not as a part of
 * another or of a qualified name.
 */
static const char *
after_word(const char *text, const char *word)
{
	size_t		length = strlen(word);

	for (const char *at = text; *at != '\0'; at++)
		if (pg_strncasecmp(at, word, length) == 0 && !is_word_character(at[length]) &&
			(at == text || (!is_word_character(at[-1]) && at[-1] != '.')))
			return at + length;
	return NULL;
}

static void
check_words(const Line *line)
{
	for (size_t i = 0; i < lengthof(volatile_words); i++)
		if (after_word(line->text, volatile_words[i].word) != NULL)
			ereport(WARNING,
					(errmsg("line %d of %s uses %s, which may differ each time the function is called",
							line->number, line->function, volatile_words[i].word),
					 errhint("A workflow function is called many times. Use %s.",
							 volatile_words[i].instead)));
}

/* ---- tables ---- */

/* A name as the parser would read it, NULL if there is none; moves "at" on. */
static char *
read_name(const char **at)
{
	const char *begin = *at;

	if (!isalpha((unsigned char) *begin) && *begin != '_')
		return NULL;
	while (is_word_character(**at))
		(*at)++;
	return downcase_truncate_identifier(begin, *at - begin, false);
}

/* The name, if it is one of a relation. */
static const char *
read_relation(const char *at)
{
	char	   *schema = NULL;
	char	   *name;

	while (*at == ' ' || *at == '\t')
		at++;
	name = read_name(&at);
	if (name != NULL && *at == '.')
	{
		at++;
		schema = name;
		name = read_name(&at);
	}
	if (name == NULL || *at == '(')
		return NULL;
	if (schema == NULL)
		return OidIsValid(RelnameGetRelid(name)) ? name : NULL;
	return OidIsValid(get_relname_relid(name, get_namespace_oid(schema, true))) ?
		quote_qualified_identifier(schema, name) : NULL;
}

/* What is read or written after the word, wherever it is in the line. */
static void
check_tables(const Line *line, const char *word)
{
	for (const char *at = after_word(line->text, word); at != NULL; at = after_word(at, word))
	{
		const char *relation = read_relation(at);

		if (relation != NULL)
			ereport(WARNING,
					(errmsg("line %d of %s uses table %s, which may differ each time the function is called",
							line->number, line->function, relation),
					 errhint("A workflow function is called many times. Use an activity or temporal.step().")));
	}
}

/* ---- the whole ---- */

/* The text of a function, without comments and literals. */
static char *
source(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	char	   *body = isnull ? pstrdup("") : TextDatumGetCString(datum);

	ReleaseSysCache(tuple);
	blank_literals(body);
	blank_side_effects(body);
	return body;
}

/* source_check -- warns of what does not belong there; it may be wrong. */
void
source_check(const Registration *registration)
{
	Oid			function = function_find(registration);
	Line		line = {format_procedure(function), 1, NULL};
	char	   *rest = source(function);

	while ((line.text = strsep(&rest, "\n")) != NULL)
	{
		check_words(&line);
		check_tables(&line, "from");
		check_tables(&line, "join");
		line.number++;
	}
}
