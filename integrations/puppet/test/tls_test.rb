# frozen_string_literal: true

require 'minitest/autorun'
require 'openssl'
require 'tmpdir'
require_relative 'fake'
require_relative '../lib/puppet_x/belay/post'

# Over TLS: Belay's certificate comes from Puppet's own CA, and Puppet's server shows the one it has.
class TlsTest < Minitest::Test
  def setup
    @folder = Dir.mktmpdir('belay-tls-')
    @ca = authority('Puppet CA')
    @server = FakeBelay.new(tls: context)
    write('ca.pem', @ca[0])
    cert, key = signed(@ca, 'puppet.example.com')
    write('cert.pem', cert)
    write('key.pem', key)
  end

  def teardown
    @server.stop
    FileUtils.rm_rf(@folder)
  end

  def test_the_servers_certificate_is_checked_and_ours_is_shown
    answer = send_by({})
    assert_equal :done, answer.fate, answer.why
    assert_equal '/CN=puppet.example.com', @server.came.headers['peer']
  end

  def test_without_a_certificate_of_ours_the_secret_alone_speaks
    File.write(File.join(@folder, 'token'), 'belay_1')
    answer = send_by('client_certificate' => false, 'token_file' => File.join(@folder, 'token'))
    assert_equal :done, answer.fate, answer.why
    came = @server.came
    assert_equal ['', 'Bearer belay_1'], [came.headers['peer'], came.headers['authorization']]
  end

  def test_a_certificate_of_another_ca_is_not_spoken_to
    write('other.pem', authority('Somebody else')[0])
    answer = send_by('ca_file' => File.join(@folder, 'other.pem'))
    assert_equal :again, answer.fate
    assert_match(/certificate verify failed/, answer.why)
    assert_empty @server.all
  end

  def test_a_certificate_of_another_name_is_not_spoken_to
    answer = send_by('url' => "https://127.0.0.1:#{@server.port}")
    assert_equal :again, answer.fate
    assert_empty @server.all
  end

  private

  def send_by(more)
    form = { 'url' => "https://localhost:#{@server.port}" }.merge(more)
    puppet = { 'vardir' => @folder, 'localcacert' => path('ca.pem'), 'hostcert' => path('cert.pem'), 'hostprivkey' => path('key.pem') }
    PuppetX::Belay::Post.send_report(PuppetX::Belay::Settings.new('belay.yaml', form, puppet), '{}')
  end

  def context
    context = OpenSSL::SSL::SSLContext.new
    context.cert, context.key = signed(@ca, 'belay.example.com', 'DNS:localhost')
    context.verify_mode = OpenSSL::SSL::VERIFY_PEER
    context.cert_store = OpenSSL::X509::Store.new.tap { |store| store.add_cert(@ca[0]) }
    context
  end

  def authority(name)
    key = OpenSSL::PKey::RSA.new(2048)
    [certificate(name, key, name, key, 'basicConstraints' => 'CA:TRUE', 'keyUsage' => 'keyCertSign'), key]
  end

  def signed(authority, name, alternative = "DNS:#{name}")
    key = OpenSSL::PKey::RSA.new(2048)
    issuer = authority[0].subject.to_a[0][1]
    [certificate(name, key, issuer, authority[1], 'subjectAltName' => alternative), key]
  end

  def certificate(name, key, issuer, issuer_key, extensions)
    cert = OpenSSL::X509::Certificate.new
    cert.version = 2
    cert.serial = rand(1 << 60)
    cert.subject = OpenSSL::X509::Name.new([['CN', name]])
    cert.issuer = OpenSSL::X509::Name.new([['CN', issuer]])
    cert.public_key = key.public_key
    cert.not_before = Time.now - 60
    cert.not_after = Time.now + 3600
    made = OpenSSL::X509::ExtensionFactory.new(cert, cert)
    extensions.each { |kind, value| cert.add_extension(made.create_extension(kind, value, kind == 'basicConstraints')) }
    cert.sign(issuer_key, OpenSSL::Digest.new('SHA256'))
  end

  def path(name)
    File.join(@folder, name)
  end

  def write(name, thing)
    File.write(path(name), thing.to_pem)
  end
end
