/*
 * name_set.c
 *	  What a process has learnt of functions, by name.
 *
 * Only a hint: it saves what would be tried in vain, and is forgotten with the
 * process.  Names that are alike in the first NAME_KEY - 1 bytes are one.
 */
#include "postgres.h"

#include "exec/pass.h"
#include "utils/hsearch.h"

#define NAME_KEY 64

bool
name_set_has(const NameSet *set, const char *name)
{
	char		key[NAME_KEY];

	if (set->names == NULL)
		return false;
	strlcpy(key, name, sizeof(key));
	return hash_search(set->names, key, HASH_FIND, NULL) != NULL;
}

void
name_set_add(NameSet *set, const char *name)
{
	HASHCTL		control = {.keysize = NAME_KEY, .entrysize = NAME_KEY};
	char		key[NAME_KEY];

	if (set->names == NULL)
		set->names = hash_create(set->title, 16, &control, HASH_ELEM | HASH_STRINGS);
	strlcpy(key, name, sizeof(key));
	hash_search(set->names, key, HASH_ENTER, NULL);
}
