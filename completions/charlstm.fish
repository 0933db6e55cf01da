# Completion of charlstm in fish: the program itself says what may come next.

function __charlstm_complete
    env _TYPER_COMPLETE_FISH_ACTION=$argv[1] _TYPER_COMPLETE_ARGS=(commandline -cp) \
        _CHARLSTM_COMPLETE=complete_fish charlstm 2>/dev/null
end

complete --command charlstm --no-files --condition '__charlstm_complete is-args' \
    --arguments '(__charlstm_complete get-args)'
