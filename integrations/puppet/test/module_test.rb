# frozen_string_literal: true

require 'minitest/autorun'
require 'yaml'
require_relative 'site'

# The module, applied by the real Puppet into a folder: a second time it alters nothing, and what a site had stays.
class ModuleTest < Minitest::Test
  def setup
    skip 'only root may give files to root' unless Process.uid.zero?
    @site = Site.new
  end

  def teardown
    @site&.gone
  end

  def agent(more = '')
    <<~PP
      class { 'belay':
        confdir => '#{@site.at('etc/puppet')}',
      }
      class { 'belay::agent':
        server      => 'https://belay.example.com:7878',
        ca          => '/var/lib/puppet/ssl/certs/ca.pem',
        token       => Sensitive('belay_0123'),
        relay_token => Sensitive('belay_4567'),
        config      => {
          'release' => { 'file' => '/srv/app/RELEASE' },
          'facts'   => { 'role' => 'web "1"' },
          'tool'    => { 'wrap' => ['/usr/bin/systemd-run', '--wait'] },
          'log'     => [{ 'name' => 'app', 'file' => '/var/log/app', 'patterns' => { 'error' => '\\bERROR\\b' } }],
        },
        install     => 'file',
        source      => '#{@site.at('source-of-agent')}',
        program     => '#{@site.at('usr/bin/belay-agent')}',
        confdir     => '#{@site.at('etc/belay')}',
        state_dir   => '#{@site.at('var/lib-belay')}',
        service     => 'none',
        unit_dir    => '#{@site.at('etc/units')}',
        cron_dir    => '#{@site.at('etc/cron.d')}',
        #{more}
      }
    PP
  end

  def server(more = '')
    <<~PP
      class { 'belay::server':
        url           => 'https://belay.example.com:7878',
        token         => Sensitive('belay_89ab'),
        settings      => { 'timeout' => 5, 'spool' => '/srv/it\\'s' },
        confdir       => '#{@site.at('etc/puppet')}',
        libdir        => '#{@site.at('var/serverlib')}',
        user          => 'root',
        group         => 'root',
        enc_script    => '#{@site.at('usr/local/bin/belay-enc')}',
        agent_program => '/usr/bin/belay-agent',
        reload        => 'touch #{@site.at('reloaded')}',
        #{more}
      }
    PP
  end

  def applied(code, manifest)
    ran = @site.apply(manifest)
    assert_equal code, ran.code, ran.said
    ran.said
  end

  def test_the_agent_comes_while_a_hold_is_on_and_once_only_and_a_hook_is_kept
    hook = "#{@site.at('usr/bin/hook')} --fast"
    @site.program('usr/bin/hook', "echo ran $1 >> #{@site.at('hooked')}")
    @site.write('etc/puppet/puppet.conf', "[main]\ncertname = web01.example.com\n# ours\nprerun_command = #{hook}\n")
    # As the agent writes it for a hold.
    @site.write('var/state/agent_disabled.lock', '{"disabled_message":"belay: held by alice"}')
    said = applied(2, agent("prerun => true, runs => 'cron'"))
    refute_includes said, 'belay_0123'
    applied(0, agent("prerun => true, runs => 'cron'"))
    assert_path_exists @site.at('var/state/agent_disabled.lock')
    toml = @site.read('etc/belay/agent.toml')
    assert_includes toml, "host = \"web01.example.com\"\n"
    assert_includes toml, "role = \"web \\\"1\\\"\"\n"
    assert_includes toml, "[[log]]\nname = \"app\"\n"
    assert_includes toml, "[log.patterns]\nerror = \"\\\\bERROR\\\\b\"\n"
    assert_includes toml, "[relay]\ntoken_file = \"#{@site.at('etc/belay/relay.token')}\"\n"
    assert_equal ["belay_0123\n", '0600'], [@site.read('etc/belay/agent.token'), @site.mode('etc/belay/agent.token')]
    assert_equal '0755', @site.mode('usr/bin/belay-agent')
    assert_match(%r{\A\d+-59/30 \* \* \* \* root .*belay-agent --config .* exec -- .*puppet agent}, @site.read('etc/cron.d/belay-puppet').lines[1])
    gate = "#{@site.at('usr/bin/belay-agent')} --config #{@site.at('etc/belay/agent.toml')} gate"
    assert_equal "#{gate} --then #{hook}", @site.setting('prerun_command', 'agent')
    assert_equal "ran --fast\n" * 2, @site.read('hooked'), 'the old hook ran before the first run and, by the gate, before the second'
    assert_includes @site.read('etc/puppet/puppet.conf'), "# ours\n"
    applied(2, agent('prerun => false'))
    assert_equal hook, @site.setting('prerun_command', 'agent')
    refute_path_exists @site.at('etc/cron.d/belay-puppet')
  end

  def test_a_configuration_that_the_program_does_not_take_never_replaces_one
    applied(2, agent)
    good = @site.read('etc/belay/agent.toml')
    ran = @site.apply(agent.sub('/srv/app/RELEASE', '/srv/bad'))
    assert_includes [4, 6], ran.code, ran.said
    assert_equal good, @site.read('etc/belay/agent.toml')
  end

  def test_the_servers_part_comes_beside_what_is_there
    @site.write('etc/puppet/puppet.conf', "[main]\ncertname = puppet.example.com\n[server]\nreports = store,puppetdb\n")
    @site.write('etc/puppet/puppetdb.conf', "[main]\nserver_urls = https://pdb:8081\n")
    manifest = agent + server("enc => true, facts_and_catalogs => 'belay.example.com:7878'")
    applied(2, manifest)
    assert_path_exists @site.at('reloaded')
    FileUtils.rm_f(@site.at('reloaded'))
    applied(0, manifest)
    refute_path_exists @site.at('reloaded')
    conf = @site.read('etc/puppet/puppet.conf')
    assert_includes conf, "reports = store, puppetdb, belay\n"
    assert_includes conf, "external_nodes = #{@site.at('usr/local/bin/belay-enc')}\n"
    assert_includes conf, "node_terminus = exec\n"
    pdb = @site.read('etc/puppet/puppetdb.conf')
    assert_includes pdb, "submit_only_server_urls = https://belay.example.com:7878\n"
    assert_includes pdb, "command_broadcast = true\n"
    settings = YAML.safe_load(@site.read('etc/puppet/belay.yaml'))
    assert_equal({ 'url' => 'https://belay.example.com:7878', 'token_file' => @site.at('etc/puppet/belay.token'), 'timeout' => 5,
                   'spool' => "/srv/it's" }, settings)
    Dir.children(File.join(Site::MODULE, 'lib/puppet_x/belay')).each do |part|
      next if part == 'words.rb'

      assert_path_exists @site.at("var/serverlib/puppet_x/belay/#{part}")
    end
  end

  def test_static_catalogs_have_a_version_of_the_deployment_and_the_files_of_it
    @site.write('etc/puppet/puppet.conf', "[main]\ncertname = puppet.example.com\n")
    FileUtils.mkdir_p(@site.at('etc/puppetserver/conf.d'))
    environments = @site.at('environments')
    manifest = server("static_catalogs => true, code_commands => '#{@site.at('usr/local/bin/belay-code')}', " \
                      "server_confdir => '#{@site.at('etc/puppetserver')}', environments => '#{environments}'")
    applied(2, "class { 'belay': confdir => '#{@site.at('etc/puppet')}' }\n#{manifest}")
    applied(0, "class { 'belay': confdir => '#{@site.at('etc/puppet')}' }\n#{manifest}")
    conf = @site.read('etc/puppetserver/conf.d/versioned-code.conf')
    assert_includes conf, "code-id-command: \"#{@site.at('usr/local/bin/belay-code-id')}\"\n"
    @site.write('environments/hand/modules/app/files/motd', 'by hand')
    id = code('id', 'hand').first
    assert_match(/\Atree-\h{24}\n\z/, id)
    assert_equal ['by hand', true], code('content', 'hand', id.chomp, 'modules/app/files/motd')
    @site.write('environments/hand/modules/app/files/motd', 'by hand, later')
    refute_equal id, code('id', 'hand').first
    refute code('content', 'hand', id.chomp, 'modules/app/files/motd').last, 'the file of then is gone'
    refute code('content', 'hand', code('id', 'hand').first.chomp, 'modules/../../x').last
    deployed_with_git('production')
  end

  # Of a commit that is deployed no more the file is still its git object.
  def deployed_with_git(environment)
    first = commit(environment, 'one')
    id = code('id', environment).first.chomp
    assert id.start_with?("#{first}-"), id
    assert_equal ['one', true], code('content', environment, id, 'modules/app/files/motd')
    commit(environment, 'two')
    refute_equal id, code('id', environment).first.chomp
    assert_equal ['one', true], code('content', environment, id, 'modules/app/files/motd')
  end

  def commit(environment, text)
    root = @site.at("environments/#{environment}")
    @site.write("environments/#{environment}/modules/app/files/motd", text)
    git = ['git', '-C', root, '-c', 'user.name=x', '-c', 'user.email=x@example.com']
    [%w[init --quiet], %w[add modules], %w[commit --quiet --message x]].each { |words| assert system(*git, *words) }
    commit = Open3.capture2(*git, 'rev-parse', 'HEAD').first.chomp
    @site.write("environments/#{environment}/.r10k-deploy.json", "{\n  \"name\": \"x\",\n  \"signature\": \"#{commit}\"\n}\n")
    commit
  end

  def code(which, *words)
    said, _, status = Open3.capture3("#{@site.at('usr/local/bin/belay-code')}-#{which}", *words)
    [said, status.success?]
  end

  def test_another_classifier_is_not_overwritten_unseen
    @site.write('etc/puppet/puppet.conf', "[server]\nnode_terminus = exec\nexternal_nodes = /etc/site/enc\n")
    ran = @site.apply(server('enc => true'))
    assert_equal 6, ran.code, ran.said
    assert_includes ran.said, "external_nodes is /etc/site/enc, which is not Belay's to replace"
    assert_includes @site.read('etc/puppet/puppet.conf'), "external_nodes = /etc/site/enc\n"
    applied(2, server("enc => true, enc_instead_of => ['/etc/site/enc']"))
    assert_includes @site.read('etc/puppet/puppet.conf'), "external_nodes = #{@site.at('usr/local/bin/belay-enc')}\n"
  end

  def test_the_unit_is_the_one_of_the_packages
    values = "{'program' => '/usr/bin/belay-agent', 'config' => '/etc/belay/agent.toml', 'state_dir' => '/var/lib/belay-agent'}"
    ran = @site.puppet('epp', 'render', @site.at('modules/belay/templates/belay-agent.service.epp'), '--values', values)
    assert_equal File.read(File.join(Site::MODULE, '../systemd/belay-agent.service')), ran.said
  end

  def test_it_is_valid
    ran = @site.puppet('parser', 'validate', @site.at('modules/belay/manifests'), @site.at('modules/belay/types'))
    assert_equal [0, ''], [ran.code, ran.said]
    templates = Dir.glob(@site.at('modules/belay/templates/*.epp'))
    ran = @site.puppet('epp', 'validate', *templates)
    assert_equal [0, ''], [ran.code, ran.said]
  end

  def test_puppet_lint_finds_nothing
    skip 'puppet-lint is not installed' unless system('puppet-lint --version', out: File::NULL, err: File::NULL)
    said, status = Open3.capture2e('puppet-lint', '--fail-on-warnings', *%w[manifests types].map { |part| @site.at("modules/belay/#{part}") })
    assert_equal [0, ''], [status.exitstatus, said]
  end
end
