# The two actions.

deliver() {
	find_places
	wait_for_turn
	look_around
	choose_gitconfig
	open_folder
	stage "$folder/.gitignore" "$ignore"
	stage "$folder/git-credential-ghscoped" "$helper"
	fragment_text
	stage "$folder/gitconfig" "$text"
	if [ "$credential" != "$folder/${credential##*/}" ]; then
		make_folder "${credential%/*}"
		go "${credential%/*}/"
		enter guarded
	fi
	credential_text
	stage "$credential" "$text"
	private "$credential"
	if [ -n "$gh_user" ]; then stage_gh; else drop_gh; fi
	real=$gitconfig doing=git
	prepare with_block
	doing=home
	commit "$folder/.gitignore"
	commit "$gh"
	commit "$folder/git-credential-ghscoped"
	commit "$credential"
	drop_former
	commit "$folder/gitconfig"
	real=$gitconfig doing=git
	apply with_block
	placed=$nl made='' doing=home
	drop_blocks "$gitconfig"
	# Where the deployer chose another place since, and nothing tells of it:
	if [ "$credential" != "$folder/credential" ]; then drop_credential "$folder/credential"; fi
	leave
}

remove() {
	find_places
	if [ ! -h "$folder" ] && [ -d "$folder" ] && owned "$folder"; then wait_for_turn; fi
	look_around
	drop_gh
	drop_credential "$credential"
	drop_former
	drop_blocks ''
	drop_folder
	leave
	rmdir "$folder" 2>/dev/null
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
