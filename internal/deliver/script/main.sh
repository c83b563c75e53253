# The two actions.

deliver() {
	find_places
	choose_gitconfig
	open_folder
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
	add_block
	commit "$gh"
	commit "$folder/git-credential-ghscoped"
	commit "$credential"
	drop_former
	commit "$folder/gitconfig"
	commit_block
	placed=$nl made=''
	drop_blocks "$gitconfig"
	# Where the deployer chose another place since, and nothing tells of it:
	if [ "$credential" != "$folder/credential" ]; then drop_credential "$folder/credential"; fi
	leave
}

remove() {
	find_places
	drop_gh
	drop_credential "$credential"
	drop_former
	drop_blocks ''
	drop_folder
	leave
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
