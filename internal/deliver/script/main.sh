# The two actions.

deliver() {
	find_places
	choose_gitconfig
	open_folder
	stage "$folder/git-credential-ghscoped" "$helper"
	fragment_text
	stage "$folder/gitconfig" "$text"
	credential_text
	stage "$credential" "$text"
	private "$credential"
	if [ -n "$gh_user" ]; then stage_gh; else drop_gh; fi
	add_block
	commit "$gh"
	commit "$folder/git-credential-ghscoped"
	commit "$credential"
	drop_former
	commit "$folder/gitconfig"
	commit_block
	fresh='' fresh_gh='' made=''
	drop_blocks "$gitconfig"
	# Where the deployer chose another place since, and nothing tells of it:
	if [ "$credential" != "$folder/credential" ] && [ ! -d "$folder/credential" ]; then
		attempt rm -f "$folder/credential"
	fi
}

remove() {
	find_places
	drop_gh
	if [ ! -d "$credential" ]; then attempt rm -f "$credential"; fi
	drop_former
	drop_blocks ''
	attempt rm -f "$folder/gitconfig" "$folder/git-credential-ghscoped"
	if [ ! -d "$folder/credential" ]; then attempt rm -f "$folder/credential"; fi
	[ ! -d "$folder" ] || rmdir "$folder" 2>/dev/null
}

shell=$0
trap 'fail interrupted' HUP INT TERM
# A printf that is a program would show the token to whoever lists processes.
[ "$(command -v printf)" = printf ] || fail no_shell
if [ -t 0 ]; then
	# A read that waits longer than 20 s ends, so that a script whose service
	# went away does not wait for ever. Without line mode a line may be longer
	# than the 4096 bytes a terminal otherwise takes.
	stty -echo -icanon min 0 time 200 2>/dev/null || fail no_stty
fi
listen
"$action"
say 'done'
